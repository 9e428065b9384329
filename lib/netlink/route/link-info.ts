/**
 * IFLA_LINKINFO: the kind of a link, and what only links of that kind have.
 *
 * A new kind is a file in `link-kinds/` and a line here. Data of other kinds stays in `unknown`, whole.
 *
 * Source: include/uapi/linux/if_link.h IFLA_INFO_*.
 */
import { attribute, attributeTable, bytes, tagged, type ValueOf, zstring } from "../attribute.ts";
import { bridgePortTable, bridgeTable } from "./link-kinds/bridge.ts";
import { ifbTable } from "./link-kinds/ifb.ts";
import { macvlanTable } from "./link-kinds/macvlan.ts";
import { vethTable } from "./link-kinds/veth.ts";
import { vxlanTable } from "./link-kinds/vxlan.ts";

export const linkInfoTable = attributeTable("link info", () => ({
  kind: attribute("IFLA_INFO_KIND", 1, zstring),
  data: tagged("IFLA_INFO_DATA", 2, "kind", {
    bridge: bridgeTable,
    ifb: ifbTable,
    macvlan: macvlanTable,
    veth: vethTable,
    vxlan: vxlanTable,
  }),
  extendedStatistics: attribute("IFLA_INFO_XSTATS", 3, bytes),
  /** The kind of the link's master. */
  slaveKind: attribute("IFLA_INFO_SLAVE_KIND", 4, zstring),
  /** What the master keeps about this link. */
  slaveData: tagged("IFLA_INFO_SLAVE_DATA", 5, "slaveKind", { bridge: bridgePortTable }),
}));

export type LinkInfo = ValueOf<typeof linkInfoTable>;
