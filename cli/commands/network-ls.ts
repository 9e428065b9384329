/** What `fairlead network ls` does. */
import type { Network } from "../../lib/ipam/api.ts";
import type { Io } from "../base/io.ts";
import { listFilter } from "../network/filters.ts";
import { naturalOrder } from "../network/order.ts";
import { LIST_HEADINGS, listView, SHORT_ID } from "../network/view.ts";
import { inDockersWords } from "../network/words.ts";
import { alignCells } from "../output/columns.ts";
import { formatJson } from "../output/json.ts";
import { withService } from "../service/with-service.ts";
import type { ListInput } from "./network-options.ts";

export async function runList({ options }: ListInput, io: Io): Promise<number> {
  const keep = listFilter(options.filter);
  const all = await listNetworks(io, options.socket);
  const networks = all.filter(keep).sort((a, b) => naturalOrder(a.name, b.name));
  if (options.json) await io.out(formatJson({ networks }));
  else await io.out(await listing(networks, options, io));
  return 0;
}

export async function listNetworks(io: Io, socket: string): Promise<readonly Network[]> {
  try {
    return await withService(io, socket, (service) => service.listNetworks());
  } catch (thrown) {
    throw inDockersWords(thrown);
  }
}

async function listing(networks: readonly Network[], options: ListInput["options"], io: Io): Promise<string> {
  const { quiet, format = "" } = options;
  const wholeIds = options["no-trunc"];
  const shown = (id: string): string => (wholeIds ? id : id.slice(0, SHORT_ID));
  // As Docker: `-q` alone shows IDs; a format of one's own wins over it.
  if (quiet && (format === "" || format === "table")) return lines(networks.map(({ id }) => shown(id)));
  if (format !== "" && format !== "table") {
    const { formatList } = await import("../network/list-format.ts");
    const views = networks.map((network) => listView(network, wholeIds));
    return formatList(format, views, LIST_HEADINGS);
  }
  const rows = networks.map(({ id, name, driver }) => [shown(id), name, driver, "local"]);
  const headings = ["ID", "Name", "Driver", "Scope"].map((field) => LIST_HEADINGS[field] ?? field);
  return lines(alignCells([headings, ...rows], { columns: wholeIds ? null : io.columns, cutAt: 1 }));
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
