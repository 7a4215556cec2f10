/** What a check of `foreword doctor` says. */

/** A check's result: all is well, or the fault and its fix. */
export interface Finding {
  readonly subject: string;
  readonly isWell: boolean;
  /** Whether it is worth saying although nothing is wrong. */
  readonly isWarning?: boolean;
  readonly text: string;
  readonly fix?: string;
}
