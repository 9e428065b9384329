/** What a command sets: the exit status of the process, where that is not 0. */
export interface Outcome {
  status: number;
}
