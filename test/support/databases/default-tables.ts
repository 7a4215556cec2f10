/** The names that tables have by default. */
import type { TableNames } from "../../../src/store/schema/schema.ts";

export const defaultTables: TableNames = {
  conversations: "conversations",
  messages: "messages",
  turns: "turns",
};
