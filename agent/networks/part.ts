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
import { serviceMarkOf } from "../../lib/host/bridge/identity.ts";
import { type LinkPattern, patternsOf } from "../../lib/host/firewall/foreign/plan.ts";
import { repairIsolation } from "../../lib/host/firewall/isolation/verbs.ts";
import { repairSourceRules } from "../../lib/host/firewall/source/verbs.ts";
import { readHostResolver } from "../../lib/host/host-resolver.ts";
import { sweepSources } from "../../lib/host/network/removal.ts";
import type { Network } from "../../lib/ipam/api.ts";
import type { AgentProblem } from "../../lib/rpc/agent-api.ts";
import type { AgentContext, AgentPart } from "../base/part.ts";
import type { FeedListener } from "../reconcile/feed.ts";
import { type Change, PassLoop, type Work } from "../reconcile/pass-loop.ts";
import { Problems, problemOf } from "../reconcile/problems.ts";
import { RoundRetries } from "../reconcile/round-retries.ts";
import { conflistOf } from "./conflist.ts";
import { type ConfigurationFile, ConflistFiles } from "./conflist-files.ts";
import { diskProblems } from "./disk.ts";
import type { ConflistSettings, Leftover, NodeNetwork, RoutedNetwork } from "./drivers/driver.ts";
import { NodeNetlink } from "./drivers/node-netlink.ts";
import { findLeftovers, onThisNode } from "./drivers.ts";
import { firewallProblems, keepAccepted } from "./firewalls/foreign.ts";
import { RulesetWatch } from "./firewalls/ruleset-watch.ts";
import { RemovalLog } from "./removal-log.ts";

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
const RESOLVER = "the host's resolv.conf";
const STEPS = [PASS, CONFLISTS, BRIDGES, ISOLATION, SOURCES, FIREWALLS, RESOLVER];
/** A network that could not be applied is tried again by itself: what was in the way may be gone in a moment, or stay for days. */
const RETRY = { firstMs: 500, mostMs: 10_000 };

/** Starts the part. It does not wait for the service. */
export async function startNetworks(context: AgentContext): Promise<AgentPart> {
  const problems = new Problems(context.logger);
  const retries = new RoundRetries({
    limits: RETRY,
    askAgain: (networkName) => loop.request({ kind: "retry", networkId: "", networkName }),
    problems,
    problemOf: (thrown, name) => problemOf(name, asFairleadError(thrown, "apply network", name)),
  });
  const node = new NodeNetworks(context, { retries, problems });
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
      await retries.close();
      await loop.close();
      node.close();
    },
  };
}

class NodeNetworks {
  readonly #context: AgentContext;
  /** Networks that failed, by name: each is tried again by itself. */
  readonly #retries: RoundRetries;
  #settings: ConflistSettings;
  readonly #files: ConflistFiles;
  readonly #host: NodeNetlink;
  readonly #problems: Problems;
  /** By ID: as the service told last. */
  #known = new Map<string, NodeNetwork>();
  #warnings: readonly AgentProblem[] = [];
  #disks: readonly AgentProblem[] = [];
  readonly #removals: RemovalLog;

  constructor(
    context: AgentContext,
    { retries, problems }: { readonly retries: RoundRetries; readonly problems: Problems },
  ) {
    const { config, logger } = context;
    this.#context = context;
    this.#retries = retries;
    this.#settings = { ...config, answersNames: config.dns.enabled, searchDomains: [] };
    this.#host = new NodeNetlink(serviceMarkOf(config.serverSocket), (message) =>
      logger.warn({ reason: message }, "agent: a setting of this host is not as it should be"),
    );
    this.#files = new ConflistFiles(config.cniConfDir);
    this.#problems = problems;
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
      const isolation = this.#routed().map((network) => network.isolation);
      const wereWrong = [repairIsolation(nft, isolation), repairSourceRules(nft)];
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

  #routed(): RoutedNetwork[] {
    return [...this.#known.values()].flatMap(({ routed }) => routed ?? []);
  }

  /** Brings the node to the service's state, as far as `work` goes. What is wrong with one network harms no other. */
  async pass(work: Work): Promise<void> {
    if ((await this.#context.service.info()).recovering) throw inRecovery();
    this.#lookAtResolver();
    const networks = work === "all" ? await this.#listAll() : await this.#fetch(work);
    const present = this.#files.list();
    for (const node of networks) {
      const { name } = node.network;
      // In a round over all, what fails waits for its own time.
      if (work === "all" && this.#retries.isResting(name)) continue;
      await this.#apply(name, () => this.#ensure(node, present));
      await yieldToOthers();
    }
    if (work === "all" || work.some(isRemoval)) await this.#removeStale(work);
    if (work === "all") {
      this.lookAround();
      await this.#attempt(SOURCES, () => sweepSources(this.#host));
    }
    this.#problems.clear(PASS);
  }

  /** What is wrong with the host's file harms no network. */
  #lookAtResolver(): void {
    try {
      this.#settings = { ...this.#settings, searchDomains: readHostResolver().search };
      this.#problems.clear(RESOLVER);
    } catch (thrown) {
      this.#problems.set(RESOLVER, asFairleadError(thrown, "read", RESOLVER));
    }
  }

  async #listAll(): Promise<readonly NodeNetwork[]> {
    const networks = (await this.#context.service.listNetworks()).map(onThisNode);
    this.#known = new Map(networks.map((node) => [node.network.id, node]));
    const names = networks.map(({ network }) => network.name);
    this.#problems.keepOnly(new Set([...names, ...STEPS]));
    this.#retries.keepOnly(new Set(names));
    return networks;
  }

  async #fetch(changes: readonly Change[]): Promise<readonly NodeNetwork[]> {
    const names = [...new Set(changes.map(({ networkName }) => networkName))];
    const fetched: NodeNetwork[] = [];
    for (const name of names) {
      const network = await this.#find(name);
      for (const [id, known] of this.#known) if (known.network.name === name) this.#known.delete(id);
      if (network === null) {
        this.#retries.forget(name);
        continue;
      }
      const node = onThisNode(network);
      this.#known.set(network.id, node);
      fetched.push(node);
    }
    return fetched;
  }

  async #find(name: string): Promise<Network | null> {
    try {
      const network = await this.#context.service.getNetwork({ name });
      // A name may be the beginning of another network's ID.
      return network.name === name ? network : null;
    } catch (thrown) {
      if (thrown instanceof FairleadError && thrown.code === "not-found") return null;
      throw thrown;
    }
  }

  /** The conflist last: from then on containers may come. */
  async #ensure(node: NodeNetwork, present: readonly ConfigurationFile[]): Promise<void> {
    await node.ensure(this.#host);
    const { name } = node.network;
    const conflist = conflistOf(node, this.#settings);
    if (conflist !== null && this.#files.ensure(conflist, name, present))
      this.#context.logger.info({ network: name, file: conflist.fileName }, "agent: conflist written");
    node.requireUsable(this.#host);
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
      const knownNames = new Set([...this.#known.values()].map(({ network }) => network.name));
      await this.#noteRemovals(work);
      const goneNames = new Set([...this.#removals.names].filter((name) => !knownNames.has(name)));
      const leftovers = findLeftovers(this.#host, { isGone, knownNames, goneNames });
      for (const leftover of leftovers) await this.#remove(leftover);
    });
  }

  /** What was removed while no agent ran is asked for once: a network of a conflist leaves a bridge that does not tell its ID. */
  async #noteRemovals(work: Work): Promise<void> {
    if (!this.#removals.isRead) await this.#removals.read();
    if (work !== "all") for (const change of work) this.#removals.note(change);
  }

  /**
   * Which networks are gone for certain: those that an event says were removed, or all that are not in a list which holds
   * the predefined networks. A list without them is of a server that makes none, or of a wrong one; then the log is asked.
   */
  async #goneFor(work: Work): Promise<(networkId: string) => boolean> {
    const known = this.#known;
    const isCredible = [...known.values()].some(({ network }) => network.origin === "predefined");
    if (work === "all" && isCredible) return (id) => !known.has(id);
    if (work === "all") await this.#removals.read();
    const removed =
      work === "all" ? this.#removals.ids : new Set(work.filter(isRemoval).map(({ networkId }) => networkId));
    return (id) => removed.has(id) && !known.has(id);
  }

  async #remove(leftover: Leftover): Promise<void> {
    const { what, name, networkNames } = leftover;
    if (await leftover.remove())
      this.#context.logger.info({ [what]: name, networks: networkNames }, `agent: ${what} removed`);
  }

  /** What no event tells: rules that somebody changed, firewalls of others. */
  lookAround(): void {
    this.mendRules();
    const { nft } = this.#host;
    try {
      const own = [...this.#known.values()].flatMap((node) => node.problems());
      this.#tellAll([...firewallProblems(nft, this.#patterns()), ...own]);
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
      this.#routed().map(({ isolation, hasIpv6 }) => ({ bridge: isolation.bridge, hasIpv6 })),
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

  /** One network, which is tried again when it failed. */
  async #apply(name: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.#retries.forget(name);
    } catch (thrown) {
      this.#retries.failed(name, thrown);
      this.#host.close();
    }
  }

  /** A step that is about no network: the next pass does it again. */
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

function isRemoval({ kind }: Change): boolean {
  return kind === "network-removed";
}
