/**
 * IFLA_LINKINFO: the kind of a link, and what only links of that kind have.
 *
 * A new kind is a file beside this one and a line here. Data of other kinds stays in `unknown`, whole.
 *
 * Source: include/uapi/linux/if_link.h IFLA_INFO_*.
 */
import { attribute, attributeTable, bytes, tagged, zstring } from "../../attribute.ts";
import { bridgePortTable, bridgeTable } from "./bridge.ts";
import { ifbTable } from "./ifb.ts";
import { macvlanTable } from "./macvlan.ts";
import { vethTable } from "./veth.ts";
import { vxlanTable } from "./vxlan.ts";

export const linkInfoTable = attributeTable("link info", () => ({
  kind: attribute("IFLA_INFO_KIND", 1, zstring),
  data: tagged("IFLA_INFO_DATA", 2, {
    kindKey: "kind",
    codecs: {
      bridge: bridgeTable,
      ifb: ifbTable,
      macvlan: macvlanTable,
      veth: vethTable,
      vxlan: vxlanTable,
    },
  }),
  extendedStatistics: attribute("IFLA_INFO_XSTATS", 3, bytes),
  /** The kind of the link's master. */
  slaveKind: attribute("IFLA_INFO_SLAVE_KIND", 4, zstring),
  /** What the master keeps about this link. */
  slaveData: tagged("IFLA_INFO_SLAVE_DATA", 5, { kindKey: "slaveKind", codecs: { bridge: bridgePortTable } }),
}));
