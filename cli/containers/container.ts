/** A container as the command line needs it, whichever runtime it belongs to. */

export type ContainerKind = "sandbox" | "podman" | "docker" | "containerd" | "netns" | "process";

/** Whose network namespace a container is in. */
export type NetworkMode =
  /** Its own. */
  | "own"
  /** Its own, with the wish that nothing be attached to it (Docker's `none`). */
  | "none"
  | "host"
  /** Another container's. */
  | "shared";

export interface Container {
  readonly kind: ContainerKind;
  /** CNI container ID: what attachments are kept under. */
  readonly id: string;
  /** Under which it wants to be found. */
  readonly name: string;
  /** Under which it is found as well: a host name of its own that somebody gave it. */
  readonly hostname?: string;
  /** Path of its network namespace; null while it does not run. */
  readonly netns: string | null;
  readonly mode: NetworkMode;
}

/** A container that a reference may mean. `netns` and `mode` cost more to find out, so they come later. */
export interface Candidate {
  readonly kind: ContainerKind;
  readonly id: string;
  /** All names of it. */
  readonly names: readonly string[];
  /** Other texts that mean exactly this container, or of which the beginning does. */
  readonly references?: readonly string[];
  describe(): Container | Promise<Container>;
}

/** Where containers are looked for. */
export interface ContainerSource {
  readonly kind: ContainerKind;
  /** Every container that `reference` may mean; more are allowed. Empty where there is no such runtime. */
  candidates(reference: string): readonly Candidate[] | Promise<readonly Candidate[]>;
}
