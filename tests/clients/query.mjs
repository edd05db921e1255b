// SPDX-License-Identifier: GPL-3.0-or-later
// Statements as a JSON array on standard input; their rows as one of arrays of objects.
import { readFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

const connection = await (await DuckDBInstance.create(":memory:")).connect();
const answers = [];
for (const sql of JSON.parse(readFileSync(0, "utf8"))) {
  const reader = await connection.runAndReadAll(sql);
  answers.push(reader.getRowObjectsJson());
}
process.stdout.write(JSON.stringify(answers));
connection.closeSync();
