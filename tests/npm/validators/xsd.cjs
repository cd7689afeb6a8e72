// node xsd.cjs SCHEMA FILE...: prints what libxml2's xmllint finds wrong in XML files by a schema, and fails if anything.
const fs = require("node:fs");
const { validateXML } = require("xmllint-wasm");

const [schema, ...files] = process.argv.slice(2);
const read = (fileName) => ({ fileName, contents: fs.readFileSync(fileName, "utf8") });

validateXML({ xml: files.map(read), schema: [read(schema)] }).then((result) => {
  console.log(result.rawOutput);
  process.exitCode = result.valid ? 0 : 1;
});
