import { leaseStoreContract } from "../../../test/contract/lease-store.ts";
import { MemoryDisk, MemoryStore } from "./store.ts";

leaseStoreContract("memory", () => {
  const disk = new MemoryDisk();
  return { open: () => new MemoryStore(disk), destroy: () => {} };
});
