/** Finds misspelt variable names, and the settings they were probably meant to be. */

/** Names that other programs or older client libraries use for our settings. */
const otherNames: Readonly<Record<string, string>> = {
  OPENAI_API_BASE: "OPENAI_BASE_URL",
  OPENAI_API_BASE_URL: "OPENAI_BASE_URL",
  OPENAI_ORGANIZATION: "OPENAI_ORG_ID",
  OPENAI_ORGANIZATION_ID: "OPENAI_ORG_ID",
  OPENAI_PROJECT: "OPENAI_PROJECT_ID",
  AZURE_OPENAI_KEY: "AZURE_OPENAI_API_KEY",
  AZURE_OPENAI_API_VERSION: "OPENAI_API_VERSION",
  AZURE_OPENAI_DEPLOYMENT: "OPENAI_MODEL",
  SUPABASE_KEY: "SUPABASE_SERVICE_ROLE_KEY",
  SUPABASE_SERVICE_KEY: "SUPABASE_SERVICE_ROLE_KEY",
  SUPABASE_SECRET_KEY: "SUPABASE_SERVICE_ROLE_KEY",
  SUPABASE_PUBLISHABLE_KEY: "SUPABASE_ANON_KEY",
  POSTGRES_URL: "DATABASE_URL",
  CORS_ORIGINS: "CORS_ALLOW_ORIGINS",
};

/** The most names that a sentence lists. */
const maxListed = 20;

/** Beginnings of our names, which few other names in `.env` share. */
const ownBeginning =
  /^(?:OPENAI|AZURE_OPENAI|SUPABASE|LIMIT|MODEL|DATABASE|CORS|JOURNAL|RETENTION|CHAT_STORE|DRAIN)_/;
/** Those that few other programs use: systemd sets JOURNAL_STREAM, for one. */
const rareBeginning = /^(?:OPENAI|AZURE_OPENAI|SUPABASE|CHAT_STORE)_/;
/** Names that Kubernetes and Docker derive from services. */
const ofService = /_(?:SERVICE|PORT|TCP|UDP)(?:_|$)/;
/**
 * Names that OpenAI's and Supabase's own tools read, and parts of a URL that platforms set beside the whole.
 */
const ofOthers =
  /^(?:OPENAI_(?:LOG|ADMIN_KEY|WEBHOOK_SECRET|AGENTS_\w+)|SUPABASE_(?:ACCESS_TOKEN|(?:DB|PROJECT|AUTH|INTERNAL|SMTP)_\w+)|DATABASE_(?:HOST|NAME|PASSWORD|USER(?:NAME)?)|APP_KEY)$/;
/** Shorter names resemble too many others, except in our own file. */
const minLength = 6;

/**
 * Returns a sentence for each of `names` that is probably meant to be one of `known`. Other programs' names,
 * which neither resemble these nor begin like them, are left alone.
 * @param isOwnFile whether the names are from `.env`, where few belong to other programs.
 */
export function findMisspelt(
  names: Iterable<string>,
  known: readonly string[],
  isOwnFile: boolean,
): readonly string[] {
  const given = new Set(names);
  return Array.from(given).flatMap((name) => {
    if (known.includes(name) || (!isOwnFile && (ofOthers.test(name) || ofService.test(name)))) return [];
    const nearest = findNearest(name, known);
    // In an environment that has the right name too, it belongs to another program.
    if (nearest !== undefined && given.has(nearest) && !isOwnFile) return [];
    if (nearest !== undefined && (isOwnFile || nearest.length >= minLength))
      return [`${name} is not a setting and is ignored; did you mean ${nearest}?`];
    if (!(isOwnFile ? ownBeginning : rareBeginning).test(name) || ofService.test(name)) return [];
    return [`${name} is not a setting of Foreword and is ignored; .env.example lists all settings.`];
  });
}

/** Returns the one of `known` whose spelling is closest to `name`, if any is close. */
export function findNearest(name: string, known: readonly string[]): string | undefined {
  const usual = toUsual(name);
  const other = Object.hasOwn(otherNames, usual) ? otherNames[usual] : undefined;
  if (other !== undefined && known.includes(other)) return other;
  const [nearest] = known
    .map((candidate) => ({ candidate, distance: countEdits(usual, toUsual(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.min(3, Math.floor(candidate.length / 4)))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest?.candidate;
}

/** Returns `names` as a list; a long one is cut. */
export function listNames(names: readonly string[]): string {
  const listed = names.slice(0, maxListed).join(", ");
  return names.length > maxListed ? `${listed} and ${names.length - maxListed} more` : listed;
}

function toUsual(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
}

/** Returns how many letters must be changed, added, removed or swapped with the next to turn `b` into `a`. */
function countEdits(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return Infinity;
  let before: readonly number[] = [];
  let above: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      line.push(
        Math.min(
          (above[column] ?? 0) + 1,
          (line[column - 1] ?? 0) + 1,
          (above[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwapped ? (before[column - 2] ?? Infinity) + 1 : Infinity,
        ),
      );
    }
    if (Math.min(...line) > 3) return Infinity;
    [before, above] = [above, line];
  }
  return above[b.length] ?? 0;
}
