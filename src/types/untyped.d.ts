/** The parts of untyped packages that Coven uses. */
declare module "fs-ext" {
  export const constants: { readonly FD_CLOEXEC: number };
  export function fcntlSync(fd: number, command: "getfd" | "setfd", flags?: number): number;
  export function flockSync(fd: number, mode: "exnb" | "shnb" | "un"): void;
}

declare module "pino-roll" {
  import type { DestinationStream } from "pino";
  interface RollOptions {
    readonly file: string;
    readonly extension: string;
    readonly size: string;
    readonly limit: { readonly count: number };
    readonly mkdir: boolean;
    readonly sync: boolean;
  }
  export default function roll(
    options: RollOptions,
  ): Promise<DestinationStream & { on(event: "error", listener: (error: Error) => void): void }>;
}

declare module "net" {
  /** Missing from the types: reads go straight into this buffer, nothing is kept inside the stream. */
  interface SocketConstructorOpts {
    onread?: { readonly buffer: Uint8Array; readonly callback: (bytesRead: number) => boolean };
  }
}
