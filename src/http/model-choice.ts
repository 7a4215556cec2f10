/** The choice of a turn's model: the models that a caller may use, and the error for any other name. */
import { isKnown, type Identity } from "../auth/identity.ts";
import { AppError, refuse } from "../base/errors.ts";
import type { Caller } from "../base/caller.ts";
import type { Model, Models } from "../turn/ports.ts";
import { quoteId } from "./request-fields.ts";

/** The most names that an error lists. */
const maxListed = 50;

/** The callers that may use a model: those that one of the lists names, or all without lists. */
export interface ModelAccess {
  /** Ids of users. */
  readonly users?: readonly string[] | undefined;
  /** Names of API keys. */
  readonly keys?: readonly string[] | undefined;
}

/** The sender of a request, and the user whose data it is about. */
export interface Chooser {
  readonly identity: Identity;
  readonly caller: Caller;
}

/** Models and their callers. */
export interface ModelChoiceOptions {
  readonly models: Models;
  /** The access to models by their names; a model that is not among them is open to all. */
  readonly access?: ReadonlyMap<string, ModelAccess>;
  /**
   * Whether `model` in the body of our own routes counts. It is ignored beside a single model, as the Flask
   * service ignored fields that it did not know.
   */
  readonly readsField?: boolean;
}

/** The models of a server, for its callers. */
export class ModelChoice {
  readonly models: Models;
  readonly #access: ReadonlyMap<string, ModelAccess>;
  readonly #readsField: boolean;

  constructor({ models, access = new Map(), readsField = false }: ModelChoiceOptions) {
    this.models = models;
    this.#access = access;
    this.#readsField = readsField;
  }

  /** Returns the names that `chooser` may use, in their order. */
  listNames(chooser: Chooser): readonly string[] {
    const { all } = this.models;
    const open = this.#access.size === 0 ? all : all.filter((model) => this.#mayUse(model, chooser));
    return open.map(({ name }) => name);
  }

  /**
   * Returns the name for a turn's request, `undefined` for the default model, by the field `model` of a body
   * on our own routes. Without one (`null` and an empty text count as none) it is the first that the chooser
   * may use.
   * @throws AppError `model_not_found`, or `invalid_request` for another type.
   */
  readField(field: unknown, chooser: Chooser): string | undefined {
    if (this.#readsField && field !== undefined && field !== null && field !== "") {
      if (typeof field !== "string") return refuse("model", "must be a string");
      if (!this.has(field, chooser)) throw toUnknownModel(field, this.listNames(chooser));
      return this.toRequested(field);
    }
    if (this.#access.size === 0 || this.#mayUse(this.models.default, chooser)) return undefined;
    const [first] = this.listNames(chooser);
    if (first !== undefined) return first;
    const detail = "model: no model of this server is open to you";
    throw new AppError("model_not_found", detail, { detail, field: "model" });
  }

  /** Whether there is a model of that name, which `chooser` may use. */
  has(name: string, chooser: Chooser): boolean {
    const model = this.models.find(name);
    return model !== undefined && this.#mayUse(model, chooser);
  }

  /** Returns the name of an existing model for a turn's request: `undefined` for the default. */
  toRequested(name: string): string | undefined {
    return name === this.models.default.name ? undefined : name;
  }

  #mayUse({ name }: Model, { identity, caller }: Chooser): boolean {
    const access = this.#access.get(name);
    if (access === undefined) return true;
    const { users = [], keys = [] } = access;
    // Without authentication a name proves nothing.
    if (isKnown(identity) && caller.userId !== undefined && users.includes(caller.userId)) return true;
    return identity.type === "server" && keys.includes(identity.keyName);
  }
}

/** Returns the error for a name that is unknown, or not open to its caller, who may use `names`. */
export function toUnknownModel(name: string, names: readonly string[]): AppError {
  const listed = names.slice(0, maxListed).join(" or ");
  const more = names.length > maxListed ? " or another of GET /v1/models" : "";
  const advice = names.length === 0 ? "no model is open to you" : `use ${listed}${more}`;
  const detail = `model: ${quoteId(name)} does not exist; ${advice}`;
  return new AppError("model_not_found", detail, { detail, field: "model" });
}
