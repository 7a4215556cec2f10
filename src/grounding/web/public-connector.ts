/**
 * Connects to public addresses only: pages that others name must not reach services behind this server. The
 * address is checked that is connected to, so that a name cannot point elsewhere between check and use.
 */
import { lookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, buildConnector } from "undici";
import { AppError } from "../../base/errors.ts";

/** How long a connection may take, in milliseconds. */
const connectMs = 3_000;

/** Returns an agent for pages. @param isAllowed whether a host may have any address. */
export function createPublicAgent(isAllowed: (hostname: string, port: string) => boolean): Agent {
  const open = buildConnector({ timeout: connectMs });
  const guarded = buildConnector({ timeout: connectMs, lookup: lookUpPublic });
  return new Agent({
    connect: (options, callback) => {
      const hostname = options.hostname.replace(/^\[(.*)\]$/, "$1");
      if (isAllowed(options.hostname, options.port)) return open(options, callback);
      // A literal address is never looked up.
      if (isIP(hostname) !== 0 && !isPublicAddress(hostname)) return callback(refuseAddress(hostname), null);
      return guarded(options, callback);
    },
  });
}

/** Whether an address is one of the public internet, in whatever notation a URL may hold it. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === "unicast";
}

function refuseAddress(address: string): AppError {
  return new AppError("search_unavailable", `${address} is no public address`);
}

const lookUpPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, "", 0);
    const refused = addresses.find(({ address }) => !isPublicAddress(address));
    const [first] = addresses;
    if (refused !== undefined || first === undefined)
      return callback(refuseAddress(refused?.address ?? hostname), "", 0);
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
  });
};
