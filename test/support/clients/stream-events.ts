/** The events of an event stream whose data are JSON objects with a type. */
import { createParser } from "eventsource-parser";
import { z } from "zod";

const Event = z.looseObject({ type: z.string() });

/** An event, with its id. */
export type StreamEvent = z.infer<typeof Event> & { readonly id: string | undefined };

/** Returns the events of a stream, or of the part of one that has come. */
export function toStreamEvents(text: string): readonly StreamEvent[] {
  const events: StreamEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => void events.push({ ...Event.parse(JSON.parse(data)), id }),
  });
  parser.feed(text);
  return events;
}
