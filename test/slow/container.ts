/** Builds the image with Buildah on a base of Debian's packages, and runs it in namespaces of Linux. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, cp, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";

const root = join(import.meta.dirname, "../..");
const cache = join(root, "node_modules/.cache/foreword-image");
const programs = ["/usr/bin/buildah", "/usr/sbin/debootstrap"];
const run = promisify(execFile);
/** More than a build prints, in bytes. */
const maxBuffer = 64 * 2 ** 20;

const ImageConfig = z.object({
  User: z.string(),
  Env: z.array(z.string()),
  Entrypoint: z.array(z.string()),
  Cmd: z.array(z.string()),
  WorkingDir: z.string(),
  Volumes: z.record(z.string(), z.object({})),
  ExposedPorts: z.record(z.string(), z.object({})),
  Healthcheck: z.object({ Test: z.array(z.string()) }),
});
type ImageConfig = z.infer<typeof ImageConfig>;

/** Why the image cannot be built here; `false` if it can. */
export const withoutBuilder: string | false =
  process.getuid?.() !== 0
    ? "only root builds and runs images"
    : programs.some((path) => !existsSync(path)) &&
      `${programs.filter((path) => !existsSync(path)).join(", ")} not installed (apt-get install buildah debootstrap)`;

/** Makes the namespaces of a container: its root, the folder of `/data`, its process id, the rest. */
const enter = [
  'root="$1" data="$2" file="$3"; shift 3',
  'read -r pid rest < /proc/self/stat; echo "$pid" > "$file"',
  'mount --bind "$root" "$root"',
  'mount -o remount,bind,ro "$root"',
  'mount -t proc proc "$root/proc"',
  'mount --rbind /dev "$root/dev"',
  'mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/tmp"',
  'mount --bind "$data" "$root/data"',
  'exec chroot "$root" setpriv "$@"',
].join("; ");

/** The image, in a storage of its own. */
export class Image {
  readonly #folder: string;
  #config: ImageConfig | undefined;
  #path = "";
  #count = 0;
  /** How much it adds to its base, in bytes. */
  addedBytes = 0;

  /** @param folder of its storage, which the caller deletes after {@link close} */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The image's settings. */
  get config(): ImageConfig {
    if (this.#config === undefined) throw new Error("the image has not been built");
    return this.#config;
  }

  /** Builds it. The first time takes some minutes, since the base is made. */
  async build(): Promise<this> {
    const base = await makeBase();
    const empty = await this.#buildah("from", "scratch");
    await this.#buildah("copy", "--quiet", empty, base, "/");
    // A registry behind a proxy may need certificates of this machine, which the base holds.
    const authorities = process.env["NODE_EXTRA_CA_CERTS"];
    const env = authorities === undefined ? [] : ["--env", `NODE_EXTRA_CA_CERTS=${authorities}`];
    await this.#buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", ...env, empty);
    await this.#buildah("commit", "--quiet", "--rm", "--format", "docker", empty, "base");
    const npmCache = (await run("npm", ["config", "get", "cache"])).stdout.trim();
    await mkdir(npmCache, { recursive: true });
    const options = [
      "--quiet",
      "--isolation",
      "chroot",
      "--format",
      "docker",
      "--pull-never",
      "--tag",
      "foreword",
    ];
    const made = ["--volume", `${npmCache}:/root/.npm`, "--build-arg", "BASE=localhost/base"];
    await this.#buildah("build", ...options, ...made, root);
    const inspected: unknown = JSON.parse(await this.#buildah("inspect", "--type", "image", "foreword"));
    this.#config = z.object({ Docker: z.object({ config: ImageConfig }) }).parse(inspected).Docker.config;
    this.#path = await this.#buildah("mount", await this.#buildah("from", "--pull-never", "foreword"));
    this.addedBytes = (await measure(this.#path)) - (await measure(base));
    return this;
  }

  /**
   * Returns a new container: read-only but for `/tmp` and `/data`, as the image's user, without capabilities,
   * on this machine's network.
   * @param args instead of the image's command
   * @param data an existing folder for `/data`, instead of a new one
   */
  async prepare(
    variables: Readonly<Record<string, string>>,
    args: readonly string[] = this.config.Cmd,
    entrypoint: readonly string[] = this.config.Entrypoint,
    data?: string,
  ): Promise<Container> {
    const place = join(this.#folder, `container-${(this.#count += 1)}`);
    const folder = data ?? join(place, "data");
    const [uid = 0, gid = 0] = this.config.User.split(":").map(Number);
    await mkdir(place);
    if (data === undefined) {
      await mkdir(folder, { mode: 0o700 });
      await chown(folder, uid, gid);
    }
    const pidFile = join(place, "pid");
    const own = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const namespaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
    const places = [this.#path, folder, pidFile];
    const rights = [
      `--reuid=${uid}`,
      `--regid=${gid}`,
      "--clear-groups",
      "--no-new-privs",
      "--bounding-set=-all",
    ];
    const env = [
      "env",
      "--ignore-environment",
      `--chdir=${this.config.WorkingDir}`,
      ...this.config.Env,
      ...own,
    ];
    const shell = ["sh", "-euc", enter, "sh", ...places, ...rights, ...env, ...entrypoint, ...args];
    const start = ["unshare", ...namespaces, ...shell];
    const kill = async (signal: NodeJS.Signals): Promise<void> => {
      process.kill(Number(await readFile(pidFile, "utf8")), signal);
    };
    return { start, data: folder, kill };
  }

  /** Unmounts it. */
  async close(): Promise<void> {
    await this.#buildah("unmount", "--all");
    await this.#buildah("rm", "--all");
  }

  async #buildah(...args: readonly string[]): Promise<string> {
    const storage = ["--root", join(this.#folder, "storage"), "--runroot", join(this.#folder, "run")];
    const { stdout } = await run("buildah", [...storage, "--storage-driver", "vfs", ...args], { maxBuffer });
    return stdout.trim();
  }
}

/** A container. */
export interface Container {
  /** The command that runs it. Its program is process 1 of the container. */
  readonly start: readonly string[];
  /** Its `/data` on this machine. */
  readonly data: string;
  /** Sends its process 1 a signal, once it has started. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Makes a system like that of `node:24-slim`, unless it is there: Debian's least, this Node, and npm. */
async function makeBase(): Promise<string> {
  const base = join(cache, `debian-node-${process.version}`);
  if (existsSync(base)) return base;
  const made = join(cache, "incomplete");
  await rm(made, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  await run("debootstrap", ["--variant=minbase", "bookworm", made], { maxBuffer });
  const npm = (await run("sh", ["-c", 'readlink -f "$(command -v npm)"'])).stdout.trim();
  await cp(dirname(dirname(npm)), join(made, "usr/local/lib/node_modules/npm"), { recursive: true });
  await cp(process.execPath, join(made, "usr/local/bin/node"));
  for (const name of ["npm", "npx"])
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(made, "usr/local/bin", name));
  await cp("/etc/ssl/certs", join(made, "etc/ssl/certs"), { recursive: true, dereference: true });
  await rename(made, base);
  return base;
}

/** Returns the size of all files below `folder`, in bytes. */
async function measure(folder: string): Promise<number> {
  const { stdout } = await run("du", ["--summarize", "--block-size=1", folder]);
  return Number.parseInt(stdout, 10);
}
