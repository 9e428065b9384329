/** What `fairlead network inspect` does. */
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { Endpoint, Network } from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import type { CliService } from "../base/service.ts";
import { WordedError } from "../base/worded-error.ts";
import { readable } from "../network/list-format.ts";
import { inspectView } from "../network/view.ts";
import { inDockersWords } from "../network/words.ts";
import { errorLine } from "../output/error-line.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";
import { compileTemplate } from "../template/evaluate.ts";
import { type GoStruct, toJson } from "../template/values.ts";
import type { InspectInput } from "./network-options.ts";

/** Docker's, for a template that cannot be read. */
const TEMPLATE_STATUS = 64;
const INDENT = 4;

export async function runInspect({ args, options }: InspectInput, io: Io): Promise<number> {
  const { format: template, json } = options;
  if (json && template !== undefined) {
    throw new WordedError("invalid-config", "conflicting options: --json and --format; give one");
  }
  const format = json ? asJson : formatterOf(template ?? "");
  if (format instanceof FairleadError) {
    await io.err(errorLine(format.message));
    return TEMPLATE_STATUS;
  }
  const seen = await withService(io, options.socket, (service) => look(service, args));
  await io.out(format(seen));
  for (const { message } of seen.errors) await io.err(errorLine(message));
  return seen.errors.length > 0 ? 1 : 0;
}

type Formatter = (seen: Seen) => string;

function asJson({ networks }: Seen): string {
  return formatJson({ networks: networks.map(({ network, endpoints }) => ({ ...network, endpoints })) });
}

/** What turns networks into text: Docker's JSON, indented or (`json`) in one line, or the template; what is wrong with that. */
function formatterOf(format: string): Formatter | FairleadError {
  if (format === "" || format === "json") {
    const indent = format === "" ? INDENT : undefined;
    return (seen) => `${JSON.stringify(viewsOf(seen).map(toJson), null, indent)}\n`;
  }
  try {
    const template = readable(() => compileTemplate(format));
    // Docker's: where there is nothing to show, there is an empty line.
    return (seen) =>
      readable(
        () =>
          viewsOf(seen)
            .map((view) => `${template(view)}\n`)
            .join("") || "\n",
      );
  } catch (thrown) {
    return asFairleadError(thrown, "read template");
  }
}

interface Seen {
  readonly networks: readonly { readonly network: Network; readonly endpoints: readonly Endpoint[] }[];
  readonly errors: readonly FairleadError[];
}

function viewsOf({ networks }: Seen): GoStruct[] {
  return networks.map(({ network, endpoints }) => inspectView(network, endpoints));
}

/** What cannot be shown does not keep the others from being shown. */
async function look(service: CliService, wanted: readonly string[]): Promise<Seen> {
  const networks: Seen["networks"][number][] = [];
  const errors: FairleadError[] = [];
  for (const one of wanted) {
    try {
      const network = await service.getNetwork({ name: one });
      const endpoints =
        network.attachments === 0 ? [] : await service.listEndpoints({ networkName: network.name });
      networks.push({ network, endpoints });
    } catch (thrown) {
      errors.push(inDockersWords(thrown));
    }
  }
  return { networks, errors };
}
