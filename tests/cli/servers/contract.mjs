// The whole wire contract in plain Node, without packages: what `kit check --url` looks at, in another language.
//
//   node contract.mjs                  prints where it serves; it ends when its standard input does
//   PATTERN=webhook node contract.mjs  calls back, signed with KIT_WEBHOOK_SECRET
//   FAULT=no-etag node contract.mjs    makes a mistake, on purpose: every `fault(…)` below is one; commas between several

import { createHash, createHmac, randomUUID } from "node:crypto";
import { once, EventEmitter } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const { FAULT = "", PATTERN = "plain_node", PORT = "0", STEPS = "10", STEP_MS = "100", KIT_WEBHOOK_SECRET = "" } = process.env;
const faults = new Set(FAULT.split(","));
const fault = (name) => faults.has(name);
const callsBack = PATTERN === "webhook";
const MOST_BYTES = 262_144;
const FINISHED = new Set(["completed", "failed", "cancelled"]);

const tasks = new Map(); // task_id → the record
const bodies = new Map(); // Idempotency-Key → { body, task }
const changed = new EventEmitter().setMaxListeners(0); // emits a task_id when that task is finished
const now = () => (fault("local-times") ? new Date().toISOString().replace("Z", "") : new Date().toISOString());

class Problem extends Error {
  constructor(status, title, detail) {
    super(detail);
    Object.assign(this, { status, title, detail });
  }
}
const unknown = () => new Problem(404, "Unknown task", "No task has this id: it was never given out, or has expired.");

// The work

function newTask() {
  const empty = { progress: 0, result: null, error: null, created_at: now(), started_at: null, finished_at: null };
  return { task_id: randomUUID(), status: "pending", ...empty };
}

async function work(task, prompt, callbackUrl) {
  await sleep(fault("late-record") ? 300 : 0);
  tasks.set(task.task_id, task);
  if (task.status !== "pending") return;
  if (!fault("never-running")) Object.assign(task, { status: "running", started_at: now() });
  for (let step = 1; step <= STEPS; step++) {
    if (fault("blocks-the-loop")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, +STEP_MS);
    else await sleep(+STEP_MS);
    if (task.status === "cancelled" && !fault("cancelled-comes-back")) return;
    if (prompt.startsWith("fail:") && step > STEPS / 2) {
      const message = fault("traceback") ? new Error("Traceback: it refused").stack : "The model refused.";
      return finish(task, "failed", { error: { code: "agent_error", message } }, callbackUrl);
    }
    task.progress = fault("progress-goes-back") && step === 5 ? 10 : (100 * step) / STEPS;
    if (fault("progress-in-parts")) task.progress /= 100;
  }
  const result = fault("result-object") ? { text: "Done." } : `An answer to ${prompt.length} characters.`;
  finish(task, "completed", { result, progress: fault("progress-99") ? 99 : 100 }, callbackUrl);
}

function finish(task, status, outcome, callbackUrl) {
  Object.assign(task, outcome, { status, finished_at: now() });
  changed.emit(task.task_id);
  if (callbackUrl && !fault("never-calls-back")) tell(task, callbackUrl).catch(() => {});
}

async function tell(task, url) {
  const body = JSON.stringify(fault("calls-back-too-little") ? { task_id: task.task_id } : task);
  const [id, timestamp] = [`msg_${task.task_id}`, String(Math.floor(Date.now() / 1000))];
  const key = Buffer.from(KIT_WEBHOOK_SECRET.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${fault("signs-something-else") ? "" : body}`);
  const signed = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature.digest("base64")}` };
  await fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...(fault("unsigned") ? {} : signed) } });
}

// The routes

function checked(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Problem(fault("says-400") ? 400 : 422, "Invalid request", "body: it is not JSON");
  }
  const isText = (value) => typeof value === "string" && value !== "";
  if (fault("takes-anything")) return { ...body, prompt: String(body?.prompt) };
  if (!isText(body?.prompt)) throw new Problem(422, "Invalid request", "prompt: a text that is not empty is due");
  if (fault("callback-url-ignored")) return body;
  if (callsBack && !isText(body.callback_url)) throw new Problem(422, "Invalid request", "callback_url: a URL is due");
  if (!callsBack && "callback_url" in body) throw new Problem(422, "Invalid request", "callback_url: nobody calls back here");
  return body;
}

async function submit(request, text) {
  const { prompt, callback_url } = checked(text);
  const key = fault("key-ignored") ? undefined : request.headers["idempotency-key"];
  const before = key && bodies.get(key);
  if (before && before.text !== text && !fault("key-for-any-body"))
    throw new Problem(422, "Idempotency-Key reused", "This Idempotency-Key came with another body before.");
  const task = before ? before.task : newTask();
  if (key) bodies.set(key, { text: before ? before.text : text, task });
  if (!fault("late-record")) tasks.set(task.task_id, task);
  if (!before) {
    const working = work(task, prompt, callback_url);
    if (fault("submit-blocks")) await working;
  }
  const location = fault("no-location") ? {} : { location: `/agent/status/${task.task_id}` };
  const later = fault("submit-without-retry-after") ? {} : { "retry-after": "1" };
  return [fault("says-200") ? 200 : 202, task, { ...location, ...later }];
}

async function status(request, taskId) {
  const task = tasks.get(taskId);
  if (!task && fault("unknown-is-pending")) return [200, newTask()];
  if (!task) throw unknown();
  const wait = /\bwait=(\d+)/.exec(request.headers.prefer ?? "");
  if (wait && !fault("no-long-poll")) {
    const seconds = Math.min(30, +wait[1]);
    if (fault("held-too-long")) await sleep(seconds * 1000);
    else if (!FINISHED.has(task.status))
      await once(changed, taskId, { signal: AbortSignal.timeout(seconds * 1000) }).catch(() => {});
  }
  if (fault("outcome-changes")) task.finished_at &&= now();
  const named = fault("etag-stays") ? taskId : JSON.stringify(task);
  const etag = fault("no-etag") ? {} : { etag: `"${createHash("sha256").update(named).digest("hex").slice(0, 16)}"` };
  const over = FINISHED.has(task.status) ? fault("retry-after-for-ever") : !fault("no-retry-after");
  const headers = { ...etag, ...(over ? { "retry-after": "1" } : {}) };
  const same = etag.etag && request.headers["if-none-match"] === etag.etag && !fault("etag-ignored");
  return same ? [304, undefined, headers] : [200, task, headers];
}

function cancel(taskId) {
  const task = tasks.get(taskId);
  if (!task || fault("no-cancel")) throw unknown();
  const done = fault("cancels-the-completed") ? [] : ["completed", "failed"];
  if (fault("cancels-once")) done.push("cancelled");
  if (done.includes(task.status)) throw new Problem(409, "Already finished", "It cannot be changed any more.");
  if (task.status !== "cancelled") finish(task, "cancelled", {});
  return [200, task];
}

async function answer(request, text) {
  const [, agent, what, taskId] = request.url.split("/");
  const asked = `${request.method} ${agent}/${what}`;
  if (asked === "POST agent/submit" && !taskId) return submit(request, text);
  if (asked === "GET agent/status" && taskId) return status(request, taskId);
  if (asked === "POST agent/cancel" && taskId) return cancel(taskId);
  if (request.url === "/health" && !fault("no-health")) return [200, { status: "ok", pattern: PATTERN }];
  throw new Problem(404, "Not Found", `Nothing is at ${request.url}.`);
}

// The server

async function read(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (fault("dies") && length > MOST_BYTES) process.exit(1);
    if (length <= MOST_BYTES || fault("no-limit")) parts.push(part);
  }
  if (length > MOST_BYTES && !fault("no-limit")) throw new Problem(413, "Content Too Large", "Send a shorter prompt.");
  return Buffer.concat(parts).toString();
}

function shown(task) {
  if (fault("unknown-left-out")) return Object.fromEntries(Object.entries(task).filter(([, value]) => value !== null));
  return fault("ids-mixed-up") ? { ...task, task_id: [...tasks.keys()].at(-1) } : task;
}

const server = createServer(async (request, response) => {
  let status, body, headers;
  let type = "application/json";
  try {
    [status, body, headers] = await answer(request, await read(request));
    if (body?.task_id && request.method === "GET") body = shown(body);
  } catch (error) {
    const { title = "Server error", detail = String(error) } = error;
    [status, body, type] = [error.status ?? 500, { title, detail, status: error.status ?? 500 }, "application/problem+json"];
    if (fault("html-errors")) [body, type] = [`<h1>${title}</h1>`, "text/html"];
  }
  response.writeHead(status, { ...headers, ...(status === 304 ? {} : { "content-type": type }) });
  response.end(status === 304 ? undefined : type === "text/html" ? body : JSON.stringify(body));
});
server.listen(+PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
