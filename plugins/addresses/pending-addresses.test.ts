import { formatAddress, parseAddress } from "../../lib/addr/address.ts";
import type { AddRequest } from "../../lib/cni/request.ts";
import { EMPTY_RESULT } from "../../lib/cni/result.ts";
import { UndoStack } from "../../lib/undo.ts";
import { completeAddresses } from "../container/address-plan.ts";
import type { PendingAddresses } from "./central-ipam.ts";
import type { IpamBinding } from "./ipam-binding.ts";
import { askForAddresses, type Probe } from "./pending-addresses.ts";

const MAC = "02:00:00:00:00:99";

/** An IPAM that grants 10.0.0.1, 10.0.0.2, …; and a LAN on which the first `taken` of them are somebody's. */
function scene(taken: number, refuses: boolean | "never" = true, isWarm?: boolean) {
  const told: string[] = [];
  let granted = 0;
  const begin = (): PendingAddresses => {
    granted += 1;
    const address = `10.0.0.${granted}`;
    return {
      finish: () => ({ ...EMPTY_RESULT, ips: [{ address: `${address}/24` }] }),
      ...(refuses !== "never" && {
        refuse: (claim) => {
          if (refuses) told.push(`refuse ${formatAddress(claim.address)} of ${claim.mac}`);
          return refuses;
        },
      }),
      ...(isWarm !== undefined && { isWarm: () => isWarm }),
      undo: () => told.push(`undo ${address}`),
    };
  };
  const ipam: IpamBinding = { begin, check: () => undefined, status: () => undefined };
  const request = { config: { cniVersion: "1.0.0" }, log: () => undefined } as unknown as AddRequest;
  const complete = completeAddresses.bind(null, { isGateway: false, isDefaultGateway: false, dns: null });
  const undo = new UndoStack();
  const probe: Probe = ({ ips: [ip] }) => {
    const address = ip?.address.address ?? parseAddress("0.0.0.0");
    return Number(address.value & 0xffn) <= taken ? { address, mac: MAC } : null;
  };
  return { told, undo, probe, awaitAddresses: askForAddresses({ ipam, request, mac: "", complete }, undo) };
}

const given = (plan: ReturnType<ReturnType<typeof askForAddresses>>) =>
  plan?.ips.map(({ address }) => formatAddress(address.address));

test("a layer 2 network has none to wait for", () => {
  const question = { ipam: null, request: {} as AddRequest, mac: "", complete: () => ({}) as never };
  expect(askForAddresses(question, new UndoStack())()).toBeNull();
});

test("nobody is asked without a probe", () => {
  const { awaitAddresses, told } = scene(9);
  expect(given(awaitAddresses())).toEqual(["10.0.0.1"]);
  expect(told).toEqual([]);
});

test.each([true, false])("whether the address is warm is what the service says: %s", (isWarm) => {
  expect(scene(0, true, isWarm).awaitAddresses()?.isWarm).toBe(isWarm);
});

test("who says nothing of it gives a cold one", () => {
  expect(scene(0).awaitAddresses()?.isWarm).toBe(false);
});

test("an address that nobody has is taken, one that somebody has refused, and each grant has its undo", () => {
  const { awaitAddresses, probe, told, undo } = scene(2);
  expect(given(awaitAddresses(probe))).toEqual(["10.0.0.3"]);
  expect(told).toEqual([`refuse 10.0.0.1 of ${MAC}`, `refuse 10.0.0.2 of ${MAC}`]);
  undo.unwind();
  expect(told.slice(2)).toEqual(["undo 10.0.0.3", "undo 10.0.0.2", "undo 10.0.0.1"]);
});

test.each([false, "never"] as const)(
  "where there are no others it is an error that names the holder (%s)",
  (refuses) => {
    const { awaitAddresses, probe, told } = scene(1, refuses);
    expect(() => awaitAddresses(probe)).toThrow(
      expect.objectContaining({
        code: "address-in-use",
        object: "10.0.0.1",
        reason: `a machine on the network with MAC address ${MAC} has it`,
        details: { address: "10.0.0.1", mac: MAC },
        hint: expect.stringContaining("ask for another address"),
      }),
    );
    expect(told).toEqual([]);
  },
);

test("after five in a row it is an error, and all five are in quarantine", () => {
  const { awaitAddresses, probe, told } = scene(9);
  const hint = expect.stringContaining("give the network a range");
  const reason = expect.stringContaining("and so were the 4 addresses before it");
  expect(() => awaitAddresses(probe)).toThrow(expect.objectContaining({ object: "10.0.0.5", reason, hint }));
  expect(told).toHaveLength(5);
});
