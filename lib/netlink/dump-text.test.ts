import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { readCapture } from "../../test/support/kernel/captures.ts";
import { hexBytes } from "../../test/support/kernel/hex.ts";
import { datagramText, layoutText } from "./dump-text.ts";
import { describeRoute } from "./route/describe.ts";
import { linkTable } from "./route/link.ts";

function captureText(name: string): string {
  const path = join(__dirname, "..", "..", "test", "captures", "route", `${name}.hex`);
  return readFileSync(path, "utf8")
    .replace(/^# .*\n/, "")
    .trimEnd();
}

describe("wire dump", () => {
  test.each(["veth-add.request", "route-show.reply", "route-refused.reply"])(
    "of %s is the text of the capture",
    (name) => {
      expect(datagramText(readCapture(`route/${name}`), describeRoute)).toBe(captureText(name));
    },
  );

  test("finds the layout of a link's data by its kind", () => {
    const text = layoutText(readCapture("route/vxlan-show.linkinfo"), linkTable);
    expect(text).toBe(captureText("vxlan-show.linkinfo"));
    expect(text).toContain("12 b5 00 00\n");
    expect(text).toContain("#     IFLA_VXLAN_PORT, 6 bytes");
  });

  test("says an errno by name, and the kernel's words", () => {
    const text = datagramText(readCapture("route/route-refused.reply"));
    expect(text).toContain("9b ff ff ff   # errno 101, ENETUNREACH");
    expect(text).toContain("NLMSGERR_ATTR_MSG");
    expect(text).toContain('"Nexthop has invalid gateway"');
  });

  test("holds every byte, in order, whatever the bytes are", () => {
    const messageLike = fc
      .tuple(fc.constantFrom(16, 20, 24, 28, 32, 2, 3, 99), fc.uint8Array({ maxLength: 60 }))
      .map(([type, payload]) =>
        Uint8Array.of(
          16 + payload.length,
          0,
          0,
          0,
          type,
          0,
          0,
          0,
          ...new Array<number>(8).fill(0),
          ...payload,
        ),
      );
    fc.assert(
      fc.property(fc.oneof(messageLike, fc.uint8Array({ maxLength: 60 })), (datagram) => {
        expect(hexBytes(datagramText(datagram, describeRoute))).toEqual(datagram);
      }),
    );
  });
});
