/** An agent of parts that a test makes up, over a service in memory. */

import { type AgentConfig, parseAgentConfig } from "../../agent/base/config.ts";
import type { AgentPart } from "../../agent/base/part.ts";
import { type PartEntry, type RunningAgent, startAgentOf } from "../../agent/program/start.ts";
import { type Logger, silentLogger } from "../../lib/log.ts";
import { openTestService, TemporaryDirectory, type TestService } from "./ipam/ipam-fronts.ts";

export class AgentOfParts {
  readonly directory = new TemporaryDirectory();
  readonly under: TestService;
  readonly config: AgentConfig;
  /** What happened to the parts, in its order. */
  readonly story: string[] = [];
  readonly #agents: RunningAgent[] = [];

  private constructor(under: TestService) {
    this.under = under;
    const given = {
      socket: this.directory.file("run/agent.sock"),
      serverSocket: this.directory.file("none.sock"),
      nodeName: "n1",
    };
    this.config = parseAgentConfig(JSON.stringify(given), "test");
  }

  static async open(): Promise<AgentOfParts> {
    return new AgentOfParts(await openTestService());
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.splice(0)) await agent.close();
    await this.under.service.close();
    this.directory.remove();
  }

  /** A part that tells what happens to it. */
  readonly entry = (
    name: string,
    over: Partial<AgentPart> = {},
    isWanted: PartEntry["isWanted"] = () => true,
  ): PartEntry => {
    const close = async (): Promise<void> => void this.story.push(`${name} closed`);
    return {
      name,
      isWanted,
      start: async () => {
        this.story.push(`${name} started`);
        return { name, applied: async () => {}, close, ...over };
      },
    };
  };

  readonly start = async (
    parts: readonly PartEntry[],
    over: { logger?: Logger; service?: TestService["service"] } = {},
  ): Promise<RunningAgent> => {
    const { config, under } = this;
    const agent = await startAgentOf(parts, {
      config,
      logger: silentLogger,
      service: under.service,
      ...over,
    });
    this.#agents.push(agent);
    return agent;
  };
}
