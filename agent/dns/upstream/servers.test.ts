import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameserversOf, parseUpstream, Upstreams } from "./servers.ts";

test("the first three nameserver lines that hold an address count", () => {
  const text = [
    "# nameserver 10.0.0.9",
    "search example.com",
    "nameserver 127.0.0.53",
    "nameserver  fe80::1%eth0",
    "nameserver not-an-address",
    " nameserver 10.0.0.8",
    "nameserver 10.0.0.1 # comment",
    "nameserver 10.0.0.2",
    "options edns0",
  ].join("\n");
  expect(nameserversOf(text).map(({ address }) => address)).toEqual([
    "127.0.0.53",
    "fe80::1%eth0",
    "10.0.0.1",
  ]);
});

test("a configured server may have a port", () => {
  expect(parseUpstream("10.0.0.1")).toEqual({ address: "10.0.0.1", port: 53 });
  expect(parseUpstream("fd00::1#5353")).toEqual({ address: "fd00::1", port: 5353 });
});

describe("a resolv.conf", () => {
  let directory: string;
  let now: number;
  const file = () => join(directory, "resolv.conf");
  const write = (address: string) => {
    writeFileSync(`${file()}.new`, `nameserver ${address}\n`);
    renameSync(`${file()}.new`, file());
  };
  const list = async (upstreams: Upstreams) => (await upstreams.list()).map(({ address }) => address);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fl-upstreams-"));
    now = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("that was never there names nobody", async () => {
    expect(await list(new Upstreams({ configured: null, now: () => now, file: file() }))).toEqual([]);
  });

  test("is read again when it changed, after a second; while it is away the last one counts", async () => {
    write("10.0.0.1");
    const upstreams = new Upstreams({ configured: null, now: () => now, file: file() });
    expect(await list(upstreams)).toEqual(["10.0.0.1"]);
    write("10.0.0.22");
    now = 999;
    expect(await list(upstreams)).toEqual(["10.0.0.1"]);
    now = 1_000;
    expect(await list(upstreams)).toEqual(["10.0.0.22"]);
    rmSync(file());
    now = 2_000;
    expect(await list(upstreams)).toEqual(["10.0.0.22"]);
    write("10.0.0.3");
    now = 3_000;
    expect(await list(upstreams)).toEqual(["10.0.0.3"]);
  });

  test("is read up to 64 KiB; of a larger one the last that was smaller counts", async () => {
    const sized = (address: string, bytes: number) =>
      writeFileSync(file(), `nameserver ${address}\n`.padEnd(bytes, "#"));
    const upstreams = new Upstreams({ configured: null, now: () => now, file: file() });
    sized("10.0.0.1", 65_536);
    expect(await list(upstreams)).toEqual(["10.0.0.1"]);
    sized("10.0.0.2", 65_537);
    now = 1_000;
    expect(await list(upstreams)).toEqual(["10.0.0.1"]);
  });

  test("is not looked at when servers are configured, and absent is no server", async () => {
    write("10.0.0.1");
    const configured = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
    expect(await list(new Upstreams({ configured, now: () => now, file: file() }))).toHaveLength(3);
    expect(await list(new Upstreams({ configured: null, now: () => now, file: `${file()}.none` }))).toEqual(
      [],
    );
  });
});
