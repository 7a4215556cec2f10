/** What a check of `foreword doctor` says. */

/** A check's result: all is well, or what is wrong and how to fix it. */
export interface Finding {
  readonly subject: string;
  readonly isWell: boolean;
  /** Whether it is worth saying although nothing is wrong. */
  readonly isWarning?: boolean;
  readonly text: string;
  readonly fix?: string;
}
