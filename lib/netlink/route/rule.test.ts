import { decodeCapture, expectSameRequest } from "../../../test/support/kernel/route-captures.ts";
import { parsePrefix } from "../../addr/prefix.ts";
import { AF_INET, AF_INET6, RTM_DELRULE } from "./family.ts";
import {
  deleteRule,
  FIB_RULE_INVERT,
  FR_ACT_BLACKHOLE,
  FR_ACT_TO_TBL,
  getRules,
  newRule,
  ruleMessage,
} from "./rule.ts";

const from = parsePrefix("10.1.2.0/24");

describe("requests", () => {
  test("to add a rule are those of ip", () => {
    const request = newRule({
      family: 4,
      priority: 1000,
      from,
      mark: 0x10,
      markMask: 0xff,
      inputIfname: "br0",
      table: 300,
    });
    expectSameRequest(request, "rule-add.request", ruleMessage);
    expect(request).toMatchObject({ operation: "add rule", object: "1000 from 10.1.2.0/24 to table 300" });
  });

  test("to add a rule for ports are those of ip: a range of ports is in host order", () => {
    const request = newRule({
      family: 6,
      priority: 900,
      to: parsePrefix("2001:db8:9::/48"),
      ipProtocol: 6,
      destinationPorts: { first: 80, last: 90 },
      action: FR_ACT_BLACKHOLE,
    });
    expectSameRequest(request, "rule6-add.request", ruleMessage);
  });

  test("to delete a rule have what it is found by", () => {
    const request = deleteRule({ family: 4, priority: 1000, from, invert: true, table: 100 });
    expect(request).toMatchObject({ type: RTM_DELRULE, flags: 0 });
    expect(ruleMessage.decode(request.payload)).toEqual({
      family: AF_INET,
      destinationLength: 0,
      sourceLength: 24,
      tos: 0,
      headerTable: 100,
      action: FR_ACT_TO_TBL,
      flags: FIB_RULE_INVERT,
      priority: 1000,
      source: from.address,
    });
  });

  test("to list filter by family", () => {
    const [rule] = decodeCapture("rule-show.reply", ruleMessage);
    if (!rule) throw new Error("no rule");
    expect(getRules(4).accepts?.(rule)).toBe(true);
    expect(getRules(6).accepts?.(rule)).toBe(false);
    expect(getRules().accepts?.(rule)).toBe(true);
  });
});

describe("rules (captured)", () => {
  test("are decoded as the kernel tells them", () => {
    const rules = decodeCapture("rule-show.reply", ruleMessage);
    expect(rules.map(({ priority }) => priority)).toEqual([undefined, 1000, 32766, 32767]);
    expect(rules[1]).toMatchObject({
      family: AF_INET,
      sourceLength: 24,
      source: from.address,
      inputIfname: "br0",
      mark: 0x10,
      markMask: 0xff,
      table: 300,
      action: FR_ACT_TO_TBL,
      suppressPrefixLength: -1,
    });
  });

  test("of IPv6 have ports", () => {
    const rules = decodeCapture("rule6-show.reply", ruleMessage);
    expect(rules.find(({ priority }) => priority === 900)).toMatchObject({
      family: AF_INET6,
      destinationLength: 48,
      ipProtocol: 6,
      destinationPorts: { first: 80, last: 90 },
      action: FR_ACT_BLACKHOLE,
    });
  });
});
