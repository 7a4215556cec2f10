/** Times of rows as clients read them: ISO 8601 in UTC with six digits of the second, whatever time zone the database is set to. */

/** The first and the last time that ISO 8601 writes in four digits of the year: earlier and later times are reported as these. */
const firstTime = "0001-01-01T00:00:00.000000Z";
const lastTime = "9999-12-31T23:59:59.999999Z";

const rowTime =
  /^(?<year>\d{4,})-(?<day>\d\d-\d\d)[T ](?<time>\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,6}))?(?<offset>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)$/;

/** Returns `text`, a `timestamptz` as the database writes it into JSON, in UTC. Times outside of ISO 8601 become the nearest it can express. */
export function toUtc(text: string): string {
  const parts = rowTime.exec(text)?.groups;
  if (parts === undefined) return text.startsWith("-") || text.endsWith("BC") ? firstTime : lastTime;
  const { year = "", day = "", time = "", fraction = "", offset = "Z" } = parts;
  if (year.length > 4) return lastTime;
  const micros = fraction.padEnd(6, "0");
  const seconds = toSeconds(offset);
  if (seconds === 0) return `${year}-${day}T${time}.${micros}Z`;
  const date = new Date(Date.parse(`${year}-${day}T${time}Z`) - seconds * 1_000);
  if (date.getUTCFullYear() > 9999) return lastTime;
  if (date.getUTCFullYear() < 1) return firstTime;
  return `${date.toISOString().slice(0, 19)}.${micros}Z`;
}

function toSeconds(offset: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = (offset.match(/\d\d/g) ?? []).map(Number);
  return (offset.startsWith("-") ? -1 : 1) * (hours * 3_600 + minutes * 60 + seconds);
}
