/** Why rows cannot be moved, as a sentence for the operator. */
export class MoveProblem extends Error {
  override readonly name = "MoveProblem";
}
