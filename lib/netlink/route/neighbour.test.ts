import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { parseAddress } from "../../addr/address.ts";
import { AF_BRIDGE, AF_INET, RTM_DELNEIGH } from "./family.ts";
import {
  deleteFdbEntry,
  deleteNeighbour,
  getFdbEntries,
  getNeighbours,
  NTF_EXT_LEARNED,
  NTF_MASTER,
  NTF_PROXY,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  neighbourMessage,
  newFdbEntry,
  newNeighbour,
} from "./neighbour.ts";

const ALL_ZERO = "00:00:00:00:00:00";

describe("neighbour entries", () => {
  test("are added as ip adds them", () => {
    const request = newNeighbour({ ifindex: 2, address: parseAddress("10.1.2.9"), mac: "02:00:00:00:00:09" });
    expectSameRequest(request, "neighbour-add.request", neighbourMessage);
    expect(request).toMatchObject({ operation: "add neighbour", object: "10.1.2.9 on ifindex 2" });
  });

  test("that are proxies have no MAC", () => {
    const address = parseAddress("10.1.2.77");
    const request = newNeighbour({ ifindex: 2, address, flags: NTF_PROXY }, "ensure");
    const [captured] = decodeCapture("neighbour-proxy-add.request", neighbourMessage);
    expect(neighbourMessage.decode(request.payload)).toEqual(captured);
  });

  test("are deleted by address and link", () => {
    const request = deleteNeighbour({ ifindex: 2, address: parseAddress("2001:db8::9") });
    expect(request).toMatchObject({ type: RTM_DELNEIGH, object: "2001:db8::9 on ifindex 2" });
    expect(neighbourMessage.decode(request.payload)).toMatchObject({
      ifindex: 2,
      destination: parseAddress("2001:db8::9"),
    });
  });

  test("are decoded as the kernel tells them", () => {
    expect(decodeCapture("neighbour-show.reply", neighbourMessage)).toMatchObject([
      {
        family: AF_INET,
        ifindex: 2,
        state: NUD_PERMANENT,
        destination: parseAddress("10.1.2.9"),
        linkLayerAddress: "02:00:00:00:00:09",
        probes: 0,
      },
    ]);
  });

  test("are listed by family, link and being a proxy", () => {
    const { payload, accepts } = getNeighbours({ family: 4, ifindex: 2, proxy: true });
    expect(neighbourMessage.decode(payload)).toMatchObject({
      family: AF_INET,
      viaIfindex: 2,
      flags: NTF_PROXY,
    });
    const entry = { family: AF_INET, ifindex: 2, state: 0, flags: 0, type: 0 };
    expect(accepts?.(entry)).toBe(true);
    expect(accepts?.({ ...entry, ifindex: 3 })).toBe(false);
    expect(accepts?.({ ...entry, family: 10 })).toBe(false);
    expect(getNeighbours().accepts?.({ ...entry, ifindex: 3 })).toBe(true);
  });
});

describe("forwarding entries", () => {
  const [flood] = decodeCapture("fdb-flood-append.request", neighbourMessage);
  const ifindex = flood?.ifindex ?? 0;

  test("to a VTEP are added as bridge adds them: VNI in host order, port big-endian", () => {
    const request = newFdbEntry(
      {
        ifindex,
        mac: "02:00:00:00:00:0a",
        destination: parseAddress("192.0.2.7"),
        vni: 9,
        port: 8472,
        state: NUD_NOARP | NUD_PERMANENT,
      },
      "append",
    );
    const [captured] = decodeCapture("fdb-add.request", neighbourMessage);
    expect(neighbourMessage.decode(request.payload)).toEqual({
      ...captured,
      state: NUD_NOARP | NUD_PERMANENT,
    });
    expect(request.flags).toBe(0xc00);
    expect(request.object).toBe(`02:00:00:00:00:0a to 192.0.2.7 on ifindex ${ifindex}`);
  });

  test("for flooding are appended and deleted as bridge does it", () => {
    const entry = {
      ifindex,
      mac: ALL_ZERO,
      destination: parseAddress("192.0.2.8"),
      state: flood?.state ?? 0,
    };
    expectSameRequest(newFdbEntry(entry, "append"), "fdb-flood-append.request", neighbourMessage);
    const { payload } = deleteFdbEntry(entry);
    const [captured] = decodeCapture("fdb-flood-delete.request", neighbourMessage);
    expect(neighbourMessage.decode(payload)).toEqual(captured);
  });

  test("of a bridge's port name its master", () => {
    const entry = { ifindex: 4, mac: "02:00:00:00:00:0b", vlan: 10, flags: NTF_MASTER | NTF_EXT_LEARNED };
    expect(neighbourMessage.decode(newFdbEntry(entry, "replace").payload)).toEqual({
      family: AF_BRIDGE,
      ifindex: 4,
      state: NUD_PERMANENT,
      flags: NTF_MASTER | NTF_EXT_LEARNED,
      type: 0,
      linkLayerAddress: "02:00:00:00:00:0b",
      vlan: 10,
    });
  });

  test("are decoded as the kernel tells them", () => {
    const common = { family: AF_BRIDGE, ifindex, state: NUD_NOARP | NUD_PERMANENT, flags: NTF_SELF };
    expect(decodeCapture("fdb-show.reply", neighbourMessage)).toMatchObject([
      { ...common, linkLayerAddress: ALL_ZERO, destination: parseAddress("192.0.2.8") },
      {
        ...common,
        linkLayerAddress: "02:00:00:00:00:0a",
        destination: parseAddress("192.0.2.7"),
        port: 8472,
        vni: 9,
      },
    ]);
  });

  test("are listed for one link, and for a bridge's ports", () => {
    const { accepts } = getFdbEntries(4);
    const entry = { family: AF_BRIDGE, ifindex: 4, state: 0, flags: 0, type: 0 };
    expect(accepts?.(entry)).toBe(true);
    expect(accepts?.({ ...entry, ifindex: 5, master: 4 })).toBe(true);
    expect(accepts?.({ ...entry, ifindex: 5 })).toBe(false);
  });
});
