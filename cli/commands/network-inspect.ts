/** What `fairlead network inspect` does. */
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import type { Io } from "../io.ts";
import { readable } from "../network/list-format.ts";
import { inspectView } from "../network/view.ts";
import { inDockersWords } from "../network/words.ts";
import type { CliService } from "../service.ts";
import { compileTemplate } from "../template/evaluate.ts";
import { type GoStruct, toJson } from "../template/values.ts";
import { withService } from "../with-service.ts";
import type { InspectInput } from "./network-options.ts";

/** Docker's, for a template that cannot be read. */
const TEMPLATE_STATUS = 64;
const INDENT = 4;

export async function runInspect({ args, options }: InspectInput, io: Io): Promise<number> {
  const format = formatterOf(options.format ?? "");
  if (format instanceof FairleadError) {
    await io.err(`fairlead: ${format.message}\n`);
    return TEMPLATE_STATUS;
  }
  const { views, errors } = await withService(io, options.socket, (service) => look(service, args));
  await io.out(format(views));
  for (const { message } of errors) await io.err(`fairlead: ${message}\n`);
  return errors.length > 0 ? 1 : 0;
}

/** What turns networks into text: JSON, or the template; what is wrong with that. */
function formatterOf(format: string): ((views: readonly GoStruct[]) => string) | FairleadError {
  if (format === "") return (views) => `${JSON.stringify(views.map(toJson), null, INDENT)}\n`;
  try {
    const template = readable(() => compileTemplate(format));
    // Docker's: where there is nothing to show, there is an empty line.
    return (views) => readable(() => views.map((view) => `${template(view)}\n`).join("") || "\n");
  } catch (thrown) {
    return asFairleadError(thrown, "read template");
  }
}

interface Seen {
  readonly views: readonly GoStruct[];
  readonly errors: readonly FairleadError[];
}

/** What cannot be shown does not keep the others from being shown. */
async function look(service: CliService, wanted: readonly string[]): Promise<Seen> {
  const views: GoStruct[] = [];
  const errors: FairleadError[] = [];
  for (const one of wanted) {
    try {
      const network = await service.getNetwork(one);
      const endpoints =
        network.attachments === 0 ? [] : await service.listEndpoints({ networkName: network.name });
      views.push(inspectView(network, endpoints));
    } catch (thrown) {
      errors.push(inDockersWords(thrown));
    }
  }
  return { views, errors };
}
