import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TemporaryDirectory } from "../../test/support/ipam/ipam-fronts.ts";
import { DEFAULT_PATHS } from "../base/paths.ts";
import { podmanCandidates } from "./podman.ts";

const directory = new TemporaryDirectory();
const [root, run] = [directory.file("root"), directory.file("run")];
const paths = { ...DEFAULT_PATHS, podmanRoot: root, podmanRunRoot: run };
const ID = "ab".repeat(32);

afterAll(() => directory.remove());

function put(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

const WEB = [{ id: ID, names: ["web", "alias"] }, { id: "cd".repeat(32) }];

test("containers are found by name and by the beginning of their ID, in the store of any driver", () => {
  expect(podmanCandidates(paths, "web")).toEqual([]);
  put(join(root, "overlay-containers/containers.json"), WEB);
  put(join(root, "vfs-containers/containers.json"), [{ id: "ef".repeat(32), names: ["other"] }]);
  put(join(root, "libpod/containers.json"), [{ id: "99".repeat(32), names: ["web"] }]);
  const found = (reference: string) => podmanCandidates(paths, reference).map(({ id }) => id.slice(0, 4));
  expect([found("web"), found("alias"), found("cdcd"), found("other"), found("nosuch")]).toEqual([
    ["abab"],
    ["abab"],
    ["cdcd"],
    ["efef"],
    [],
  ]);
});

test("a container whose process number went to somebody else does not run", async () => {
  put(join(root, "overlay-containers/containers.json"), WEB);
  put(join(root, "overlay-containers", ID, "userdata/config.json"), {
    linux: { namespaces: [{ type: "network" }] },
  });
  put(join(run, "overlay-containers", ID, "userdata/pidfile"), `${process.pid}\n`);
  const [candidate] = podmanCandidates(paths, "web");
  expect(await candidate?.describe()).toEqual({
    kind: "podman",
    id: ID,
    name: "web",
    netns: null,
    mode: "own",
  });
});
