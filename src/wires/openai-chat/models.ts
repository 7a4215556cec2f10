/** The models of a server, as OpenAI's clients list them. */
import { z } from "zod";
import { Count, schemaOf } from "../../http/description/response-schema.ts";

/** A model in OpenAI's format. */
export interface ModelJson {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970. */
  readonly created: number;
  readonly owned_by: "foreword";
}

/** All models. */
export interface ModelList {
  readonly object: "list";
  readonly data: readonly ModelJson[];
}

/** The schema of {@link ModelJson}. */
export const ModelSchema = schemaOf<ModelJson>()("Model", () =>
  z.object({
    id: z.string(),
    object: z.literal("model"),
    created: Count.describe("When the process started, in seconds since 1970."),
    owned_by: z.literal("foreword"),
  }),
);

/** The schema of {@link ModelList}. */
export const ModelListSchema = schemaOf<ModelList>()("ModelList", () =>
  z.object({ object: z.literal("list"), data: z.array(ModelSchema()) }),
);

/** Returns models by their names. */
export function toModels(names: readonly string[], createdAt: Date): readonly ModelJson[] {
  const created = Math.floor(createdAt.getTime() / 1000);
  return names.map((id) => ({ id, object: "model", created, owned_by: "foreword" }));
}
