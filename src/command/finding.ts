/** The result of a check by `foreword doctor`. */

/** A check's result: all is well, or a problem and its fix. */
export interface Finding {
  readonly subject: string;
  readonly isWell: boolean;
  /** Whether it is worth a warning although nothing is wrong. */
  readonly isWarning?: boolean;
  readonly text: string;
  readonly fix?: string;
}
