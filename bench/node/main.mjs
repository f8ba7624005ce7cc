// The child of the benchmark that measures the peers written for Node: one contender, one measurement, a process. It does what
// bench/drive does for the children in Go: the same scenarios, the same verification, the same figures.
import { closeSync, openSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { contenders } from "./contenders.mjs";
import { pause, poll, text } from "./work.mjs";

const spec = JSON.parse(process.argv[2]);
const idleWarmUp = 5;
const idleSamples = 30; // at least
const windowCount = 20;
const sustainedSample = 1000;

const now = () => Number(process.hrtime.bigint()) / 1e6; // ms

class Recorder {
  constructor(jobs) {
    this.submitted = new Float64Array(jobs);
    this.started = new Float64Array(jobs);
    this.ran = 0;
    this.repeated = 0;
    this.waiting = null;
  }
  // run is the handler of every contender.
  run(args) {
    if (!(args.seq >= 0 && args.seq < this.started.length) || args.text !== text) {
      throw new Error(`job ${args.seq} came with other arguments than it was given`);
    }
    if (this.started[args.seq] !== 0) this.repeated++;
    else {
      this.started[args.seq] = now();
      this.ran++;
    }
    if (this.waiting && this.ran >= this.waiting.n) {
      this.waiting.wake();
      this.waiting = null;
    }
    return { seq: args.seq, length: args.text.length };
  }
  async waitRan(n) {
    if (this.ran < n) await new Promise((wake) => (this.waiting = { n, wake }));
  }
}

const quantile = (all, q) => {
  if (all.length === 0) return 0;
  all.sort((a, b) => a - b);
  return all[Math.max(0, Math.ceil(q * all.length) - 1)];
};

// treeTime is the processor time of a process with its children, in microseconds.
function treeTime(pid) {
  if (!pid) return 0;
  let total = 0;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
    total = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * 10_000;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8");
      for (const child of children.split(" ").filter(Boolean)) total += treeTime(Number(child));
    }
  } catch {
    // it has just ended; its parent counts it from now on
  }
  return total;
}

function ownTime() {
  const usage = process.resourceUsage();
  return usage.userCPUTime + usage.systemCPUTime;
}

class Meter {
  constructor() {
    this.clock = now();
    this.own = ownTime();
    this.server = treeTime(spec.server);
  }
  stop(values, name, jobs) {
    values[`${name}_per_s`] = (jobs / (now() - this.clock)) * 1000;
    values[`${name}_cpu_us`] = (ownTime() - this.own) / jobs;
    if (spec.server) values[`${name}_server_cpu_us`] = (treeTime(spec.server) - this.server) / jobs;
  }
}

const recorder = new Recorder(spec.jobs);
const contender = new contenders[spec.contender](spec, recorder);
const out = { values: {}, jobs: 0, repeated: 0, results: 0 };

async function submit(from, n) {
  recorder.submitted.fill(now(), from, from + n);
  await contender.submit(from, n);
}

// submitAll submits by as many callers as it is told, in batches, and gives how many there were.
async function submitAll(callers, batch, backlog, afterEach) {
  const deadline = spec.seconds > 0 ? now() + spec.seconds * 1000 : Infinity;
  let next = 0;
  const caller = async () => {
    while (now() < deadline) {
      const from = next;
      const n = Math.min(batch, spec.jobs - from);
      if (n <= 0) return;
      next += n;
      while (from - recorder.ran > backlog) await pause(1);
      const begin = now();
      await submit(from, n);
      afterEach?.(from, now() - begin);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return next;
}

async function finish(n) {
  out.jobs = n;
  await recorder.waitRan(n);
  await contender.drain();
}

async function verify(from, n) {
  if (!contender.results) return;
  const found = await contender.results(from, n);
  if (found !== n) throw new Error(`${found} of ${n} results are there and right`);
  out.results = found;
}

async function size(name) {
  if (!contender.size) return 0;
  const { rows, bytes } = await contender.size();
  out.values[`${name}_rows`] = rows;
  out.values[`${name}_mb`] = bytes / 1e6;
  return rows;
}

function latencies(from, n) {
  return Array.from({ length: n }, (_, i) => recorder.started[from + i] - recorder.submitted[from + i]);
}

function windows(begin, jobs) {
  const end = recorder.started.subarray(0, jobs).reduce((a, b) => Math.max(a, b), begin) + 0.001;
  const width = (end - begin) / windowCount;
  const slots = Array.from({ length: windowCount }, () => []);
  for (let i = 0; i < jobs; i++) {
    const slot = Math.min(windowCount - 1, Math.floor((recorder.started[i] - begin) / width));
    slots[slot].push(recorder.started[i] - recorder.submitted[i]);
  }
  return slots.map((all, i) => ({
    second: (width * (i + 1)) / 1000,
    rate: (all.length / width) * 1000,
    p50_ms: quantile(all, 0.5),
    p99_ms: quantile(all, 0.99),
  }));
}

const scenarios = {
  async bulk() {
    const whole = new Meter();
    let part = new Meter();
    const n = await submitAll(1, spec.batch, Infinity);
    part.stop(out.values, "submit", n);
    part = new Meter();
    await contender.start();
    await finish(n);
    part.stop(out.values, "work", n);
    whole.stop(out.values, "jobs", n);
    await size("kept");
    await verify(0, n);
  },
  async sustained() {
    await contender.start();
    const begin = now();
    const whole = new Meter();
    const n = await submitAll(spec.callers, spec.batch, spec.backlog);
    await finish(n);
    whole.stop(out.values, "jobs", n);
    const sample = Math.min(n, sustainedSample);
    await verify(n - sample, sample);
    out.windows = windows(begin, n);
    const all = latencies(0, n);
    out.values.start_p50_ms = quantile(all, 0.5);
    out.values.start_p99_ms = quantile(all, 0.99);
    await size("end");
    if (spec.keep_seconds === 0) return;
    const patience = now() + 10_000 * spec.keep_seconds;
    await poll(500, async () => (await size("pruned")) === 0 || now() > patience);
  },
  async idle() {
    await contender.start();
    const end = now() + spec.seconds * 1000;
    let n = 0;
    for (; n < spec.jobs && (n < idleWarmUp + idleSamples || now() < end); n++) {
      await submit(n, 1);
      await finish(n + 1);
      await pause(5);
    }
    const all = latencies(idleWarmUp, n - idleWarmUp);
    Object.assign(out.values, { p50_ms: quantile(all, 0.5), p99_ms: quantile(all, 0.99), max_ms: quantile(all, 1), samples: all.length });
    await verify(0, n);
  },
  async submit() {
    const calls = [];
    const meter = new Meter();
    const n = await submitAll(spec.callers, 1, Infinity, (_, took) => calls.push(took));
    meter.stop(out.values, "submit", n);
    Object.assign(out.values, { p50_ms: quantile(calls, 0.5), p99_ms: quantile(calls, 0.99) });
    await contender.start();
    await finish(n);
    await verify(0, n);
  },
  async startup() {
    const n = await submitAll(1, spec.batch, Infinity);
    await contender.close();
    const begin = now();
    await contender.open();
    out.values.open_ms = now() - begin;
    await contender.start();
    await finish(n);
    out.values.first_ms = recorder.started.reduce((a, b) => Math.min(a, b)) - begin;
    await verify(0, n);
  },
  async fanin() {
    await contender.start();
    const meter = new Meter();
    await contender.fanIn(spec.jobs);
    const wall = now() - meter.clock;
    meter.stop(out.values, "children", spec.jobs);
    out.values.seconds = wall / 1000;
    out.jobs = recorder.ran;
    if (out.jobs !== spec.jobs) throw new Error(`${out.jobs} of ${spec.jobs} children ran`);
  },
  async acked() {
    const none = openSync("/dev/null", "w");
    for (let seq = 0; seq < spec.jobs; seq++) {
      writeSync(none, `submit begins ${seq}`);
      await submit(seq, 1);
      writeSync(none, `submit acknowledged ${seq}`);
    }
    closeSync(none);
    out.jobs = spec.jobs;
  },
};

await contender.open();
await scenarios[spec.scenario]();
await contender.close();
out.repeated = recorder.repeated;
writeSync(1, JSON.stringify(out) + "\n");
process.exit(0);
