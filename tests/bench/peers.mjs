// SPDX-License-Identifier: Apache-2.0
//
// peers.mjs load|work|settings SETTING - the other queues, on the database that PG* names.
//
// load fills the queue with one job per row of bench.backlog; work runs until
// SIGTERM.  A job is one call of bench.provision_one, prepared by name, which
// both may use; everything else about a queue is its setting below.
import { run, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { PgBoss } from 'pg-boss'

const connection = { host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE }
const provision = (match) => ({ name: 'provision_one', text: 'SELECT bench.provision_one($1)', values: [match] })

// What each setting changes; no value means the library's own default.
const settings = {
  'graphile-default': {},
  'graphile-tuned': {
    concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0
  },
  'pgboss-burst': { batchSize: 100, burstWhenBatchFull: true },
  'pgboss-transactional': { batchSize: 100, burstWhenBatchFull: true, transactional: true }
}

async function workGraphile (options) {
  const pgPool = new pg.Pool({ ...connection, max: options.maxPoolSize ?? 10 })
  pgPool.on('error', console.error)
  await run({
    pgPool,
    preset: { worker: options },
    taskList: {
      provision: (payload, helpers) => helpers.withPgClient((client) => client.query(provision(payload.match)))
    }
  })
}

async function workBoss (options) {
  const boss = new PgBoss(connection)
  const pool = new pg.Pool({ ...connection, max: 10 })
  boss.on('error', console.error)
  await boss.start()
  await boss.work('provision', options, async (jobs, tx) => {
    if (!tx) return Promise.all(jobs.map(({ data }) => pool.query(provision(data.match))))
    for (const { data } of jobs) {
      const { text, values } = provision(data.match)
      await tx.executeSql(text, values)
    }
  })
  process.once('SIGTERM', () => process.exit(0))
}

// Like the jobs of steward, each is a millisecond older than the next: a queue
// of equal times would make every peer walk over what it has done already.
async function spread (pool, table, column) {
  await pool.query(`UPDATE ${table} t SET ${column} = now() - interval '1 ms' * n
    FROM (SELECT id, row_number() OVER (ORDER BY ctid DESC) AS n FROM ${table}) x WHERE x.id = t.id`)
  await pool.query('VACUUM FULL ANALYZE')
}

const chunks = (rows) => Array.from({ length: Math.ceil(rows.length / 5000) }, (_, i) => rows.slice(i * 5000, i * 5000 + 5000))

async function loadGraphile (pool, rows) {
  await runMigrations({ pgPool: pool })
  for (const chunk of chunks(rows)) {
    await pool.query(`SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
      SELECT ('provision', json_build_object('match', m), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec
        FROM unnest($1::uuid[]) m))`, [chunk])
  }
  await spread(pool, 'graphile_worker._private_jobs', 'run_at')
}

async function loadBoss (pool, rows) {
  const boss = new PgBoss(connection)
  await boss.start()
  await boss.createQueue('provision')
  for (const chunk of chunks(rows)) await boss.insert('provision', chunk.map((match) => ({ data: { match } })))
  await boss.stop()
  await spread(pool, 'pgboss.job_common', 'created_on')
}

const [verb, setting] = process.argv.slice(2)
const isGraphile = setting.startsWith('graphile')
if (verb === 'load') {
  const pool = new pg.Pool({ ...connection, max: 2 })
  const { rows } = await pool.query('SELECT match_id FROM bench.backlog')
  await (isGraphile ? loadGraphile : loadBoss)(pool, rows.map((row) => row.match_id))
  await pool.end()
  process.exit(0)
} else if (verb === 'settings') {
  console.log(JSON.stringify(settings[setting]))
} else {
  await (isGraphile ? workGraphile : workBoss)(settings[setting])
}
