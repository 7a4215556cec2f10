/** The values of variables that must never be logged. */
import { unescape } from "node:querystring";
import type { Environment } from "./variables.ts";

/** Returns the values that must never be logged: keys, secrets, and passwords in URLs. */
export function findSecrets(environment: Environment): readonly string[] {
  const urls = [
    environment.DATABASE_URL,
    environment.REDIS_URL,
    environment.OPENAI_BASE_URL,
    environment.AZURE_OPENAI_ENDPOINT,
    environment.EMBEDDINGS_BASE_URL,
    environment.SEARCH_BASE_URL,
  ];
  const passwords = urls.map((url) => (url === undefined ? "" : new URL(url).password));
  return [
    environment.OPENAI_API_KEY,
    environment.AZURE_OPENAI_API_KEY,
    environment.SEARCH_API_KEY,
    environment.EMBEDDINGS_API_KEY,
    environment.SUPABASE_SERVICE_ROLE_KEY,
    environment.SUPABASE_ANON_KEY,
    environment.SUPABASE_JWT_SECRET,
    environment.DATABASE_URL,
    environment.REDIS_URL,
    ...(environment.API_KEYS ?? []).map(({ key }) => key),
    ...passwords,
    ...passwords.map((password) => unescape(password)),
  ].flatMap((secret) => (secret === undefined || secret === "" ? [] : [secret]));
}
