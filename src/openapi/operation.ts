/** Operations: each route with its description, as the OpenAPI document is built from it. */
import type { DocumentedErrorBody, RouteDescription } from "../http/description/description.ts";
import type { Route, RouteGroup } from "../http/route.ts";

/** Any group of routes. */
export type AnyRouteGroup = RouteGroup<never>;

/** A route with its description. */
export interface Operation {
  readonly id: string;
  readonly tag: string;
  readonly route: Route<never>;
  readonly description: RouteDescription;
  /** Absent if its errors are problems. */
  readonly errorBody: DocumentedErrorBody | undefined;
}

/** Loads the descriptions of `groups`. */
export async function loadOperations(groups: readonly AnyRouteGroup[]): Promise<readonly Operation[]> {
  const loaded = await Promise.all(
    groups.map(async ({ tag, routes, describe }) => {
      const { routes: descriptions, errorBody } = await describe();
      return Object.entries(routes).map(([id, route]): Operation => {
        const description = descriptions[id];
        if (description === undefined) throw new Error(`${id} has no description`);
        return { id, tag, route, description, errorBody };
      });
    }),
  );
  return loaded.flat();
}
