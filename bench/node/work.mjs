// What every job takes and gives, as in bench/drive.
export const text = "durable ".repeat(22);

export const argsOf = (seq) => ({ seq, text });

// right reports whether a result is that of a job.
export const right = (result, seq) => result?.seq === seq && result?.length === text.length;

export const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

// poll calls done, with short pauses, until it says true.
export async function poll(every, done) {
  while (!(await done())) await pause(every);
}
