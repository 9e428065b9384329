import { pluginExecContract } from "../../test/contract/plugin-exec.ts";
import { FAKE_PLUGIN_FOLDER, FakePlugins } from "../../test/support/runtimes/fake-plugins.ts";

pluginExecContract("functions", () => ({
  exec: new FakePlugins({
    echo: ({ stdin }) => stdin,
    env: ({ env }) => env["CNI_COMMAND"] ?? "",
    fail: () => ({ status: 3, stdout: "no" }),
    data: null,
  }),
  path: (name) => `${FAKE_PLUGIN_FOLDER}/${name}`,
}));
