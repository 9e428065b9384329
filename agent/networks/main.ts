/**
 * Networks on this node: for each network of the service its conflist, its bridge with gateway addresses, and its rules.
 *
 * Level-triggered: what is there is compared with what the service says now, on events about the networks that they
 * name, and every ten seconds about all of them, because somebody may have edited a file or deleted a bridge; rules are looked
 * at as soon as anybody changed any. What no longer belongs to a network goes away, but only on evidence: an event that names it, or a list that holds the
 * predefined networks.
 */
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { asFairleadError, FairleadError } from "../../lib/errors.ts";
import { serviceMarkOf } from "../../lib/host/bridge-identity.ts";
import { repairIsolation } from "../../lib/host/firewall-isolation.ts";
import type { IsolationSpec } from "../../lib/host/firewall-isolation-in-place.ts";
import { repairSourceRules } from "../../lib/host/firewall-source.ts";
import { type LinkPattern, patternsOf } from "../../lib/host/foreign-accept-plan.ts";
import type { Event, Network } from "../../lib/ipam/api.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { FeedListener } from "../feed.ts";
import type { AgentContext, AgentPart } from "../part.ts";
import { bridgedPortProblems, isBridgedFiltered } from "./bridge-netfilter.ts";
import { type ConflistSettings, conflistOf, type NodeBridge, nodeBridgeOf } from "./conflist.ts";
import { type ConfigurationFile, ConflistFiles } from "./conflist-files.ts";
import { diskProblems } from "./disk.ts";
import { firewallProblems, keepAccepted } from "./foreign-firewall.ts";
import {
  ensureNodeBridge,
  findLeftovers,
  isolationOf,
  type Leftover,
  NodeNetlink,
  removeNodeBridge,
  requireParent,
  sweepSources,
} from "./node-bridge.ts";
import { PassLoop, type Work } from "./pass-loop.ts";
import { Problems } from "./problems.ts";
import { RemovalLog } from "./removal-log.ts";
import { RulesetWatch } from "./ruleset-watch.ts";

const NETWORK_EVENTS: ReadonlySet<string> = new Set([
  "network-created",
  "network-changed",
  "network-removed",
]);

/** Objects of problems that are about no network. The blank keeps them apart from networks' names. */
const PASS = "all networks";
const CONFLISTS = "conflists of removed networks";
const BRIDGES = "bridges of removed networks";
const ISOLATION = "rules of isolation";
const SOURCES = "source checks of ports that are gone";
const FIREWALLS = "firewalls of others";
const STEPS = [PASS, CONFLISTS, BRIDGES, ISOLATION, SOURCES, FIREWALLS];

/** Starts the part. It does not wait for the service. */
export async function startNetworks(context: AgentContext): Promise<AgentPart> {
  const node = new NodeNetworks(context);
  const loop = new PassLoop({
    revision: () => context.feed.revision,
    pass: (work) => node.pass(work),
    onFailure: (error) => node.passFailed(error),
  });
  const listener: FeedListener = {
    onReset: () => loop.restart(),
    onEvent: (event) => {
      if (event.kind === "store-recovered") loop.request("all");
      else if (NETWORK_EVENTS.has(event.kind)) loop.request(event);
      else loop.note();
    },
  };
  const unsubscribe = context.feed.subscribe(listener);
  const watch = new RulesetWatch({
    isBusy: () => loop.isRunning,
    generation: () => node.rulesetGeneration(),
    mend: () => node.mendRules(),
    onDamage: () => loop.request("all"),
  });
  watch.start();
  return {
    name: "networks",
    applied: (revision) => loop.applied(revision),
    problems: () => node.problems(),
    refresh: async () => {
      node.lookAround();
      await node.lookAtDisks();
    },
    close: async () => {
      unsubscribe();
      watch.close();
      await loop.close();
      node.close();
    },
  };
}

class NodeNetworks {
  readonly #context: AgentContext;
  readonly #settings: ConflistSettings;
  readonly #files: ConflistFiles;
  readonly #host: NodeNetlink;
  readonly #problems: Problems;
  /** By ID: as the service told last. */
  #known = new Map<string, Network>();
  #warnings: readonly AgentProblem[] = [];
  #disks: readonly AgentProblem[] = [];
  readonly #removals: RemovalLog;

  constructor(context: AgentContext) {
    const { config, logger } = context;
    this.#context = context;
    this.#settings = { ...config, answersNames: config.dns.enabled };
    this.#host = new NodeNetlink(serviceMarkOf(config.serverSocket), (message) =>
      logger.warn({ reason: message }, "agent: a setting of this host is not as it should be"),
    );
    this.#files = new ConflistFiles(config.cniConfDir);
    this.#problems = new Problems(logger);
    this.#removals = new RemovalLog(context.service);
  }

  problems(): readonly AgentProblem[] {
    return [...this.#problems.list(), ...this.#warnings, ...this.#disks];
  }

  passFailed(error: FairleadError): void {
    // The service may be away for hours, and its feed says so already.
    if (error.code !== "unavailable") this.#problems.set(PASS, error);
    this.#host.close();
  }

  close(): void {
    this.#host.close();
  }

  /** Of the ruleset of this node; 0 while that cannot be told. */
  rulesetGeneration(): number {
    try {
      return this.#host.nft.generation();
    } catch (thrown) {
      this.#problems.set(ISOLATION, asFairleadError(thrown, "watch", "the ruleset"));
      this.#host.close();
      return 0;
    }
  }

  /** Returns whether the rules that keep the known networks apart were not as they should be. */
  mendIsolation(): boolean {
    try {
      const { nft } = this.#host;
      const wereWrong = [repairIsolation(nft, this.#isolation()), repairSourceRules(nft)];
      const wasWrong = wereWrong.includes(true);
      if (wasWrong)
        this.#context.logger.warn({}, "agent: rules of isolation were not as they should be; mended");
      this.#problems.clear(ISOLATION);
      return wasWrong;
    } catch (thrown) {
      this.#problems.set(ISOLATION, asFairleadError(thrown, "apply network", ISOLATION));
      this.#host.close();
      return false;
    }
  }

  /** Returns whether any rule of ours was not as it should be, here or in firewalls of others. */
  mendRules(): boolean {
    const wasWrong = this.mendIsolation();
    this.#keepAccepted();
    return wasWrong;
  }

  #isolation(): IsolationSpec[] {
    return this.#bridges().map(isolationOf);
  }

  #bridges(): NodeBridge[] {
    return [...this.#known.values()].map(nodeBridgeOf).filter((bridge) => bridge !== null);
  }

  /** Brings the node to the service's state, as far as `work` goes. What is wrong with one network harms no other. */
  async pass(work: Work): Promise<void> {
    if ((await this.#context.service.info()).recovering) throw inRecovery();
    const networks = work === "all" ? await this.#listAll() : await this.#fetch(work);
    const present = this.#files.list();
    for (const network of networks) {
      await this.#attempt(network.name, () => this.#ensure(network, present));
      await yieldToOthers();
    }
    if (work === "all" || work.some(isRemoval)) await this.#removeStale(work);
    if (work === "all") {
      this.lookAround();
      await this.#attempt(SOURCES, () => sweepSources(this.#host));
    }
    this.#problems.clear(PASS);
  }

  async #listAll(): Promise<readonly Network[]> {
    const networks = await this.#context.service.listNetworks();
    this.#known = new Map(networks.map((network) => [network.id, network]));
    this.#problems.keepOnly(new Set([...networks.map(({ name }) => name), ...STEPS]));
    return networks;
  }

  async #fetch(events: readonly Event[]): Promise<readonly Network[]> {
    const names = [...new Set(events.map(({ networkName }) => networkName))];
    const fetched: Network[] = [];
    for (const name of names) {
      const network = await this.#find(name);
      for (const [id, known] of this.#known) if (known.name === name) this.#known.delete(id);
      if (network === null) {
        this.#problems.clear(name);
        continue;
      }
      this.#known.set(network.id, network);
      fetched.push(network);
    }
    return fetched;
  }

  async #find(name: string): Promise<Network | null> {
    try {
      const network = await this.#context.service.getNetwork(name);
      // A name may be the beginning of another network's ID.
      return network.name === name ? network : null;
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "not-found") return null;
      throw thrown;
    }
  }

  /** The conflist last: from then on containers may come. */
  async #ensure(network: Network, present: readonly ConfigurationFile[]): Promise<void> {
    const bridge = nodeBridgeOf(network);
    if (bridge) await ensureNodeBridge(this.#host, bridge);
    const conflist = conflistOf(network, this.#settings);
    if (conflist === null) return;
    if (this.#files.ensure(conflist, network.name, present)) {
      this.#context.logger.info(
        { network: network.name, file: conflist.fileName },
        "agent: conflist written",
      );
    }
    requireParent(this.#host, network);
  }

  /** Conflists first: from then on no new container comes. */
  async #removeStale(work: Work): Promise<void> {
    const isGone = await this.#goneFor(work);
    const files = this.#files.list().filter(({ networkId }) => networkId !== null && isGone(networkId));
    await this.#attempt(CONFLISTS, () => this.#files.remove(files));
    for (const { networkName } of files) {
      this.#context.logger.info({ network: networkName }, "agent: conflist removed");
    }
    await this.#attempt(BRIDGES, async () => {
      const knownNames = new Set([...this.#known.values()].map(({ name }) => name));
      await this.#noteRemovals(work);
      const goneNames = new Set([...this.#removals.names].filter((name) => !knownNames.has(name)));
      const leftovers = findLeftovers(this.#host, { isGone, knownNames, goneNames });
      for (const leftover of leftovers) await this.#removeBridge(leftover);
    });
  }

  /** What was removed while no agent ran is asked for once: a network of a conflist leaves a bridge that does not tell its ID. */
  async #noteRemovals(work: Work): Promise<void> {
    if (!this.#removals.isRead) await this.#removals.read();
    if (work !== "all") for (const event of work) this.#removals.note(event);
  }

  /**
   * Which networks are gone for certain: those that an event says were removed, or all that are not in a list which holds
   * the predefined networks. A list without them is of a server that makes none, or of a wrong one; then the log is asked.
   */
  async #goneFor(work: Work): Promise<(networkId: string) => boolean> {
    const known = this.#known;
    const isCredible = [...known.values()].some(({ origin }) => origin === "predefined");
    if (work === "all" && isCredible) return (id) => !known.has(id);
    if (work === "all") await this.#removals.read();
    const removed =
      work === "all" ? this.#removals.ids : new Set(work.filter(isRemoval).map(({ networkId }) => networkId));
    return (id) => removed.has(id) && !known.has(id);
  }

  async #removeBridge(leftover: Leftover): Promise<void> {
    const { bridge, networkNames } = leftover;
    if (!(await removeNodeBridge(this.#host, leftover))) return;
    this.#context.logger.info({ bridge, networks: networkNames }, "agent: bridge removed");
  }

  /** What no event tells: rules that somebody changed, firewalls of others. */
  lookAround(): void {
    this.mendRules();
    const { nft } = this.#host;
    try {
      const bridged = bridgedPortProblems(this.#bridges(), isBridgedFiltered);
      this.#tellAll([...firewallProblems(nft, this.#patterns()), ...bridged]);
    } catch (thrown) {
      this.#firewallFailed(thrown);
    }
  }

  async lookAtDisks(): Promise<void> {
    const { stateDir, cniConfDir, cniCacheDir } = this.#context.config;
    this.#disks = await diskProblems([stateDir, cniConfDir, cniCacheDir]);
  }

  /** Lets containers through firewalls of others, where it is wanted and needed. */
  #keepAccepted(): void {
    const { config, logger } = this.#context;
    try {
      const changed = keepAccepted(this.#host.nft, config.firewall.accept, this.#patterns());
      if (changed.length > 0)
        logger.info({ chains: changed }, "agent: rules for containers in chains of others are as needed");
      this.#problems.clear(FIREWALLS);
    } catch (thrown) {
      this.#firewallFailed(thrown);
    }
  }

  #firewallFailed(thrown: unknown): void {
    this.#problems.set(FIREWALLS, asFairleadError(thrown, "look at", FIREWALLS));
    this.#host.close();
  }

  #patterns(): LinkPattern[] {
    return patternsOf(
      this.#bridges().map(({ bridge, prefixes }) => ({
        bridge,
        hasIpv6: prefixes.some(({ address }) => address.family === 6),
      })),
    );
  }

  #tellAll(problems: readonly AgentProblem[]): void {
    const before = new Set(this.#warnings.map(({ message }) => message));
    this.#warnings = problems;
    for (const { object, message } of problems) {
      if (!before.has(message))
        this.#context.logger.warn(
          { object, reason: message },
          "agent: a firewall or a setting of this host is in the way",
        );
    }
  }

  async #attempt(object: string, action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
      this.#problems.clear(object);
    } catch (thrown) {
      this.#problems.set(object, asFairleadError(thrown, "apply network", object));
      this.#host.close();
    }
  }
}

/** Until the service has been told of them, networks that are here look as if they were gone. */
function inRecovery(): FairleadError {
  return new FairleadError({
    code: "unavailable",
    operation: "apply networks",
    reason: "the service is in recovery",
    hint: "it goes on by itself when the service has been told what is attached",
  });
}

function isRemoval({ kind }: Event): boolean {
  return kind === "network-removed";
}
