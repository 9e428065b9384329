/** A failure in words that are ready to be told: those of Docker, where people know them. */
export class Refusal extends Error {
  /** Exit status of the program. */
  readonly status: number;

  constructor(message: string, status = 1, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Refusal";
    this.status = status;
  }
}
