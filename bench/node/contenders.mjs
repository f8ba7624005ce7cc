// The contenders: open, submit(from, n), start, drain, close, and where there is such a thing results(from, n) and size().
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { argsOf, poll, right } from "./work.mjs";

const queueName = "bench";

// argsFrom makes the arguments of n jobs.
const argsFrom = (from, n) => Array.from({ length: n }, (_, i) => argsOf(from + i));

class BullMQ {
  constructor(spec, recorder) {
    Object.assign(this, { spec, recorder });
  }
  async open() {
    const { Queue, QueueEvents, WaitingChildrenError, Worker } = await import("bullmq");
    const url = new URL(this.spec.url);
    const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
    this.queue = new Queue(queueName, { connection });
    const keep = this.spec.keep_seconds > 0 ? { removeOnComplete: { age: this.spec.keep_seconds } } : {};
    const handler = async (job, token) => (job.name === "parent" ? this.parent(job, token) : this.recorder.run(job.data));
    Object.assign(this, { QueueEvents, WaitingChildrenError, connection });
    this.worker = new Worker(queueName, handler, { connection, concurrency: 100, autorun: false, ...keep });
    this.worker.on("error", (err) => console.error(err));
    await this.worker.waitUntilReady();
  }
  async submit(from, n) {
    if (n === 1) await this.queue.add("job", argsOf(from), { jobId: `job-${from}` });
    else await this.queue.addBulk(argsFrom(from, n).map((data) => ({ name: "job", data, opts: { jobId: `job-${data.seq}` } })));
  }
  async start() {
    this.worker.run();
  }
  // parent starts children, waits for them, and sums up, as BullMQ's guide has it: it is run again when they have ended.
  async parent(job, token) {
    const n = job.data.children;
    if (!job.data.started) {
      const opts = { parent: { id: job.id, queue: job.queueQualifiedName } };
      for (let from = 0; from < n; from += this.spec.batch) {
        const part = argsFrom(from, Math.min(this.spec.batch, n - from));
        await this.queue.addBulk(part.map((data) => ({ name: "job", data, opts: { ...opts, jobId: `job-${data.seq}` } })));
      }
      await job.updateData({ ...job.data, started: true });
      if (await job.moveToWaitingChildren(token)) throw new this.WaitingChildrenError();
    }
    const results = Object.values(await job.getChildrenValues());
    const wrong = results.find((result) => !right(result, result.seq));
    if (wrong) throw new Error(`a child gave ${JSON.stringify(wrong)}`);
    return results.reduce((sum, result) => sum + result.seq, 0);
  }
  async fanIn(n) {
    const events = new this.QueueEvents(queueName, { connection: this.connection });
    await events.waitUntilReady();
    const job = await this.queue.add("parent", { children: n });
    const sum = await job.waitUntilFinished(events);
    await events.close();
    if (sum !== (n * (n - 1)) / 2) throw new Error(`the parent summed up ${sum}, want ${(n * (n - 1)) / 2}`);
  }
  async drain() {
    await poll(2, async () => (await this.queue.getJobCountByTypes("waiting", "active", "delayed", "prioritized")) === 0);
  }
  async results(from, n) {
    let found = 0;
    for (let seq = from; seq < from + n; seq++) {
      const job = await this.queue.getJob(`job-${seq}`);
      if (right(job?.returnvalue, seq)) found++;
    }
    return found;
  }
  // The bytes are those of Redis's append-only log.
  async size() {
    const rows = await this.queue.getJobCountByTypes("waiting", "active", "delayed", "prioritized", "completed", "failed");
    const dir = join(this.spec.dir, "appendonlydir");
    return { rows, bytes: readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0) };
  }
  async close() {
    await this.worker.close();
    await this.queue.close();
  }
}

// Postgres is what the contenders on PostgreSQL share.
class Postgres {
  constructor(spec, recorder) {
    Object.assign(this, { spec, recorder });
  }
  async connect() {
    this.pool = new pg.Pool({ connectionString: this.spec.url, max: 2 });
  }
  async number(sql, values) {
    const { rows } = await this.pool.query(sql, values);
    return Number(rows[0].n);
  }
  async sizeOf(table) {
    return { rows: await this.number(`SELECT count(*) AS n FROM ${table}`), bytes: await this.number("SELECT pg_database_size(current_database()) AS n") };
  }
}

class Graphile extends Postgres {
  async open() {
    const { Logger, makeWorkerUtils, run } = await import("graphile-worker");
    await this.connect();
    this.run = run;
    this.options = {
      preset: {
        worker: {
          connectionString: this.spec.url,
          concurrentJobs: 24,
          maxPoolSize: 25,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      logger: new Logger(() => () => {}),
    };
    this.utils = await makeWorkerUtils({ connectionString: this.spec.url, logger: this.options.logger });
    await this.utils.migrate();
  }
  async submit(from, n) {
    if (n === 1) await this.utils.addJob("job", argsOf(from));
    else await this.utils.addJobs(argsFrom(from, n).map((payload) => ({ identifier: "job", payload })));
  }
  async start() {
    this.runner = await this.run({ ...this.options, noHandleSignals: true, taskList: { job: async (payload) => void this.recorder.run(payload) } });
  }
  async drain() {
    await poll(2, async () => (await this.number("SELECT count(*) AS n FROM graphile_worker._private_jobs")) === 0);
  }
  size() {
    return this.sizeOf("graphile_worker._private_jobs");
  }
  async close() {
    await this.runner?.stop();
    await this.utils.release();
    await this.pool.end();
  }
}

class PgBoss extends Postgres {
  async open() {
    const { PgBoss: Boss } = await import("pg-boss");
    await this.connect();
    const pruned = this.spec.keep_seconds > 0;
    this.boss = new Boss({ connectionString: this.spec.url, useListenNotify: true, ...(pruned ? { superviseIntervalSeconds: 1, maintenanceIntervalSeconds: 1 } : {}) });
    this.boss.on("error", (err) => console.error(err));
    await this.boss.start();
    await this.boss.createQueue(queueName, { notify: true, ...(pruned ? { deleteAfterSeconds: Math.max(1, Math.round(this.spec.keep_seconds)) } : {}) });
  }
  async submit(from, n) {
    if (n === 1) await this.boss.send(queueName, argsOf(from));
    else await this.boss.insert(queueName, argsFrom(from, n).map((data) => ({ data })));
  }
  async start() {
    const options = { batchSize: 500, perJobResults: true, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 };
    await this.boss.work(queueName, options, async (jobs) => jobs.map((job) => ({ id: job.id, status: "completed", output: this.recorder.run(job.data) })));
  }
  async drain() {
    await poll(5, async () => (await this.number("SELECT count(*) AS n FROM pgboss.job WHERE name = $1 AND state < 'completed'", [queueName])) === 0);
  }
  async results(from, n) {
    return this.number(
      `SELECT count(*) AS n FROM pgboss.job WHERE name = $1 AND state = 'completed' AND (data->>'seq')::int >= $2 AND (data->>'seq')::int < $3
        AND output->>'seq' = data->>'seq' AND (output->>'length')::int = length(data->>'text')`,
      [queueName, from, from + n],
    );
  }
  size() {
    return this.sizeOf(`pgboss.job WHERE name = '${queueName}'`);
  }
  async close() {
    await this.boss.stop({ graceful: false });
    await this.pool.end();
  }
}

export const contenders = { bullmq: BullMQ, "graphile-worker": Graphile, "pg-boss": PgBoss };
