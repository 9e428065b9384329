import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { parseAddress } from "../../addr/address.ts";
import { parseInterfaceAddress } from "../../addr/prefix.ts";
import {
  addressMessage,
  deleteAddress,
  getAddresses,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  INFINITY_LIFE_TIME,
  type LinkAddress,
  localAddress,
  newAddress,
} from "./address.ts";
import { AF_INET, AF_INET6, RTM_DELADDR } from "./family.ts";

const address = parseInterfaceAddress("10.1.2.3/24");

describe("requests", () => {
  test("to add an IPv4 address are those of ip", () => {
    const request = newAddress({
      ifindex: 2,
      address,
      broadcast: parseAddress("10.1.2.255"),
      routePriority: 50,
    });
    expectSameRequest(request, "address-add.request", addressMessage);
    expect(request).toMatchObject({ operation: "add address", object: "10.1.2.3/24 on ifindex 2" });
  });

  test("to add an IPv6 address without duplicate address detection hold all flags in IFA_FLAGS", () => {
    const flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE;
    const request = newAddress({ ifindex: 2, address: parseInterfaceAddress("2001:db8:1::5/64"), flags });
    const [captured] = decodeCapture("address6-add.request", addressMessage);
    // ip writes the lower flags into the header as well.
    expect(addressMessage.decode(request.payload)).toEqual({ ...captured, headerFlags: 0 });
    expect(captured?.flags).toBe(flags);
  });

  test("to add an address with lifetimes are those of ip", () => {
    const request = newAddress({
      ifindex: 2,
      address: parseInterfaceAddress("2001:db8:1::6/64"),
      validSeconds: 3000,
      preferredSeconds: 2000,
    });
    expectSameRequest(request, "address6-lifetime-add.request", addressMessage);
  });

  test("with one lifetime let the other be as long", () => {
    const preferred = newAddress({ ifindex: 2, address, preferredSeconds: 0 });
    expect(addressMessage.decode(preferred.payload).cacheInfo).toMatchObject({
      preferredSeconds: 0,
      validSeconds: INFINITY_LIFE_TIME,
    });
    const valid = newAddress({ ifindex: 2, address, validSeconds: 60 });
    expect(addressMessage.decode(valid.payload).cacheInfo).toMatchObject({
      preferredSeconds: 60,
      validSeconds: 60,
    });
  });

  test("to delete name the address and the link", () => {
    const request = deleteAddress({ ifindex: 2, address });
    expect(request).toMatchObject({ type: RTM_DELADDR, flags: 0, object: "10.1.2.3/24 on ifindex 2" });
    expect(addressMessage.decode(request.payload)).toMatchObject({
      ifindex: 2,
      prefixLength: 24,
      local: address.address,
    });
  });

  test("with a peer have it where the address itself stands otherwise", () => {
    const peer = parseAddress("10.9.9.9");
    const { payload } = newAddress({ ifindex: 2, address, peer });
    expect(addressMessage.decode(payload)).toMatchObject({ local: address.address, address: peer });
  });

  test("to list filter by link and family, in the kernel and here", () => {
    const { payload, accepts } = getAddresses({ ifindex: 2, family: 4 });
    expect(addressMessage.decode(payload)).toMatchObject({ ifindex: 2, family: AF_INET });
    const [captured] = decodeCapture("address-show.reply", addressMessage);
    if (!captured) throw new Error("no address");
    expect(accepts?.(captured)).toBe(true);
    expect(accepts?.({ ...captured, ifindex: 3 })).toBe(false);
    expect(accepts?.({ ...captured, family: AF_INET6 })).toBe(false);
    expect(getAddresses().accepts?.({ ...captured, ifindex: 3, family: AF_INET6 })).toBe(true);
  });
});

describe("an address (captured)", () => {
  const [captured] = decodeCapture("address-show.reply", addressMessage);

  test("has what ip shows of it", () => {
    expect(captured).toMatchObject({
      family: AF_INET,
      prefixLength: 24,
      headerFlags: IFA_F_PERMANENT,
      scope: 0,
      ifindex: 2,
      address: address.address,
      local: address.address,
      broadcast: parseAddress("10.1.2.255"),
      label: "br0",
      flags: IFA_F_PERMANENT,
      routePriority: 50,
      cacheInfo: { preferredSeconds: INFINITY_LIFE_TIME, validSeconds: INFINITY_LIFE_TIME },
    });
  });

  test("is the local one, which IPv6 tells as the address", () => {
    const { local: _, ...withoutLocal } = captured ?? ({} as LinkAddress);
    expect(captured && localAddress(captured)).toEqual(address);
    expect(localAddress(withoutLocal as LinkAddress)).toEqual(address);
    expect(
      localAddress({ family: 2, prefixLength: 24, headerFlags: 0, scope: 0, ifindex: 2 }),
    ).toBeUndefined();
  });
});
