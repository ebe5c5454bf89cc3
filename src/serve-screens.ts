/** The worker in which screens are drawn: a thread of its own, so that drawing holds nobody up. */
import { parentPort } from "node:worker_threads";
import { initialTerminalSize } from "./events.ts";
import { type ScreenAnswer, screenRequest } from "./runtime/screen-worker.ts";
import { type Screen, createScreen } from "./text/screen.ts";

const screens = new Map<number, Screen>();

/** Tasks are done one after the other: a window is resized between what was printed before and after. */
let done = Promise.resolve();
parentPort?.on("message", (message) => {
  done = done.then(() => serve(screenRequest.parse(message)));
});

async function serve({ id, screen: number, task, steps }: Request): Promise<void> {
  const screen = screens.get(number) ?? createScreen(initialTerminalSize);
  screens.set(number, screen);
  for (const step of steps) {
    if ("bytes" in step) await screen.write(step.bytes);
    else screen.resize(step);
  }
  if (task === "close") {
    screen.dispose();
    screens.delete(number);
  }
  const answer: ScreenAnswer = {
    id,
    picture: task === "show" ? screen.picture() : undefined,
    view: task === "view" ? screen.view() : undefined,
  };
  parentPort?.postMessage(answer);
}

type Request = ReturnType<typeof screenRequest.parse>;
