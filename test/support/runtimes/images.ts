/**
 * Container images for the runtime tests, made from the machine's static busybox, since a test must not depend on a
 * registry: an OCI image layout in a tar file.
 *
 * Source: OCI Image Format Specification 1.0, "Image Layout", "Image Manifest", "Image Configuration".
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import type { Lab } from "../lab/lab.ts";
import { command, isExecutable, labEnvironment, requireTools } from "../lab/lab-process.ts";

export const PAUSE_IMAGE = "localhost/fairlead-test/pause:1";
export const BUSYBOX_IMAGE = "localhost/fairlead-test/busybox:1";

/** What the web server of {@link SERVE_FOREVER} answers with. */
export const WEB_PAGE = "served by a fairlead test\n";

/** Shell line of a container that idles until SIGTERM. */
const IDLE_FOREVER = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done";
/** Shell line of a container that serves {@link WEB_PAGE} on port 80 until SIGTERM. */
export const SERVE_FOREVER = `httpd -h /www -p 80; ${IDLE_FOREVER}`;

const FOLDERS = ["bin", "etc", "tmp", "proc", "sys", "dev", "run", "var", "www", "root"] as const;
/** Reproducible: the layer's digest must not depend on when or by whom it was made. */
const TAR = ["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"] as const;

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const built = new WeakMap<Lab, Promise<string>>();

/** Writes the images into the lab's folder, once for all its runtimes. Returns the path of the tar file. */
export function buildImages(lab: Lab): Promise<string> {
  const images = built.get(lab) ?? writeImages(lab);
  built.set(lab, images);
  return images;
}

async function writeImages(lab: Lab): Promise<string> {
  requireTools("busybox", "tar");
  const rootfs = await buildRootFilesystem(lab);
  const blobs = lab.folder("image", "blobs", "sha256");
  const layerFile = join(lab.directory, "layer.tar");
  await command([...TAR, "-C", rootfs, "-cf", layerFile, "."]);
  const layer = putBlob(blobs, readFileSync(layerFile));
  const manifests = [PAUSE_IMAGE, BUSYBOX_IMAGE].map((name) => putManifest(blobs, name, layer));
  lab.file("image/oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  lab.file("image/index.json", JSON.stringify({ schemaVersion: 2, manifests }));
  const imageFile = join(lab.directory, "images.tar");
  await command([
    ...TAR,
    "-C",
    join(lab.directory, "image"),
    "-cf",
    imageFile,
    "oci-layout",
    "index.json",
    "blobs",
  ]);
  return imageFile;
}

/** No /etc/hosts and no /etc/resolv.conf: runtimes mount their own. */
async function buildRootFilesystem(lab: Lab): Promise<string> {
  const root = lab.folder("rootfs");
  for (const folder of FOLDERS) mkdirSync(join(root, folder));
  const busybox = join(root, "bin/busybox");
  copyFileSync(staticBusybox(), busybox);
  chmodSync(busybox, 0o755);
  const applets = (await command([busybox, "--list"])).trim().split("\n");
  for (const applet of applets.filter((name) => name !== "busybox"))
    symlinkSync("busybox", join(root, "bin", applet));
  symlinkSync("bin", join(root, "sbin"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
  writeFileSync(join(root, "www/index.html"), WEB_PAGE);
  return root;
}

function staticBusybox(): string {
  const folders = (labEnvironment()["PATH"] ?? "").split(delimiter);
  const file = folders.map((folder) => join(folder, "busybox")).find(isExecutable);
  if (file === undefined)
    throw new Error("busybox not found; install it with: apt-get install busybox-static");
  if (statSync(file).size > 1_000_000) return file;
  throw new Error(`${file} is not linked statically; install it with: apt-get install busybox-static`);
}

function putBlob(folder: string, content: Buffer): Blob {
  const hex = createHash("sha256").update(content).digest("hex");
  writeFileSync(join(folder, hex), content);
  return { digest: `sha256:${hex}`, size: content.length };
}

function putJson(folder: string, value: unknown): Blob {
  return putBlob(folder, Buffer.from(JSON.stringify(value)));
}

function putManifest(folder: string, name: string, layer: Blob): Record<string, unknown> {
  const platform = { architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux" };
  const created = "1970-01-01T00:00:00Z";
  const config = putJson(folder, {
    ...platform,
    created,
    config: { Env: ["PATH=/bin"], Entrypoint: name === PAUSE_IMAGE ? ["/bin/sh", "-c", IDLE_FOREVER] : null },
    // The layer is not compressed, so its digest is the diff ID as well.
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    history: [{ created }],
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = putJson(folder, {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
  });
  const annotations = { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name };
  return { mediaType, ...manifest, platform, annotations };
}
