/** What `fairlead network inspect` does. */
import type { Io } from "../io.ts";
import { readable } from "../network/list-format.ts";
import { inspectView } from "../network/view.ts";
import { refusalOf } from "../network/words.ts";
import type { Refusal } from "../refusal.ts";
import type { CliService } from "../service.ts";
import { compileTemplate } from "../template/evaluate.ts";
import { type GoStruct, toJson } from "../template/values.ts";
import { withService } from "../with-service.ts";
import type { InspectInput } from "./network-options.ts";

/** Docker's, for a template that cannot be read. */
const TEMPLATE_STATUS = 64;
const INDENT = 4;

export async function runInspect({ args, options }: InspectInput, io: Io): Promise<number> {
  const { format = "" } = options;
  const template = format === "" ? null : readable(() => compileTemplate(format), TEMPLATE_STATUS);
  const { views, refusals } = await withService(io, options.socket, (service) => look(service, args));
  if (template === null) await io.out(`${JSON.stringify(views.map(toJson), null, INDENT)}\n`);
  else {
    for (const view of views) await io.out(`${readable(() => template(view))}\n`);
    // Docker's: where there is nothing to show, there is an empty line.
    if (views.length === 0) await io.out("\n");
  }
  for (const { message } of refusals) await io.err(`fairlead: ${message}\n`);
  return refusals.length > 0 ? 1 : 0;
}

interface Seen {
  readonly views: readonly GoStruct[];
  readonly refusals: readonly Refusal[];
}

/** What cannot be shown does not keep the others from being shown. */
async function look(service: CliService, wanted: readonly string[]): Promise<Seen> {
  const views: GoStruct[] = [];
  const refusals: Refusal[] = [];
  for (const one of wanted) {
    try {
      const network = await service.getNetwork(one);
      const endpoints =
        network.attachments === 0 ? [] : await service.listEndpoints({ networkName: network.name });
      views.push(inspectView(network, endpoints));
    } catch (thrown) {
      refusals.push(refusalOf(thrown));
    }
  }
  return { views, refusals };
}
