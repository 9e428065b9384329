import { compileTemplate } from "./evaluate.ts";
import { GoStruct, GoTime, goMap } from "./values.ts";

/** What is expected here was printed by docker 20.10 for the same value and template. */
const data = new GoStruct("", [
  { name: "Name", value: "web" },
  { name: "ID", json: "Id", value: "abc" },
  { name: "Created", value: new GoTime("2026-11-26T03:28:21.340Z") },
  { name: "Internal", value: true },
  {
    name: "IPAM",
    value: new GoStruct("", [
      { name: "Driver", value: "default" },
      { name: "Options", value: null },
      {
        name: "Config",
        value: [
          new GoStruct("", [
            { name: "Subnet", value: "10.9.0.0/24" },
            { name: "IPRange", value: "", omitEmpty: true },
            { name: "AuxAddress", json: "AuxiliaryAddresses", value: goMap({}), omitEmpty: true },
          ]),
        ],
      },
    ]),
  },
  { name: "Labels", value: goMap({ b: "1", a: "<2>" }) },
]);

test.each([
  ["", ""],
  ["{{.Name}}", "web"],
  ["{{ .Id }}{{$.ID}}", "abcabc"],
  ["{{.Created}}", "2026-11-26 03:28:21.34 +0000 UTC"],
  ["{{.IPAM}} {{.Labels}}", "{default <nil> [{10.9.0.0/24  map[]}]} map[a:<2> b:1]"],
  [
    "{{json .IPAM}} {{json .Labels}} {{json .Created}}",
    '{"Driver":"default","Options":null,"Config":[{"Subnet":"10.9.0.0/24"}]} {"a":"<2>","b":"1"} "2026-11-26T03:28:21.34Z"',
  ],
  ["{{range .IPAM.Config}}{{.Subnet}} {{$.Name}}{{end}}", "10.9.0.0/24 web"],
  ["{{(index .IPAM.Config 0).Subnet}}", "10.9.0.0/24"],
  ["{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "a=<2>;b=1;"],
  ["{{range $i, $c := .IPAM.Config}}{{$i}}{{$c.Subnet}}{{end}}", "010.9.0.0/24"],
  ["{{range .IPAM.Config}}{{else}}none{{end}}", ""],
  ["{{range .IPAM.Options}}x{{else}}none{{end}}", "none"],
  ["{{if .Internal}}yes{{else}}no{{end}}", "yes"],
  ['{{if eq .Name "db" "web"}}a{{else if .Name}}b{{end}}', "a"],
  ["{{if not .Internal}}a{{else if .Name}}b{{else}}c{{end}}", "b"],
  ["{{with .Name}}{{.}}{{end}}{{with .IPAM.Options}}x{{else}}y{{end}}", "weby"],
  ["{{with $x := .Name}}{{$x}}{{end}}", "web"],
  ["{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"],
  ['{{.Name | printf "%-5s|" | upper}}', "WEB  |"],
  ['{{printf "%s %5s %q %d %%" .Name .Name .Name 7}}', 'web   web "web" 7 %'],
  [
    '{{join (split "a,b" ",") "-"}} {{title "ab cd"}} {{lower "AB"}} {{truncate .Name 2}}{{pad "x" 1 2}}|',
    "a-b Ab Cd ab we x  |",
  ],
  ["{{len .Name}}{{len .Labels}}{{len .IPAM.Config}}", "321"],
  ['{{index .Labels "b"}}{{index .Labels "nope"}}', "1"],
  ["{{.Labels.b}} {{.Labels.nope}}", "1 <no value>"],
  [
    "{{and .Name .Internal}} {{or .IPAM.Options .Name}} {{lt 1 2}} {{ge `b` `a`}} {{ne 1 1}}",
    "true web true true false",
  ],
  ["{{println .Name .Name}}", "web web\n"],
  ["a {{- .Name -}} b{{/* nothing */}} c", "aweb" + "b c"],
  ['{{`raw \\n`}}{{"a\\tb"}}', "raw \\na\tb"],
])("%j", (template, expected) => {
  expect(compileTemplate(template)(data)).toBe(expected);
});

test.each([
  ["{{.Name", "template: :1: unclosed action"],
  ["{{foo .}}", 'template: :1: function "foo" not defined'],
  ["{{end}}", "template: :1: unexpected {{end}}"],
  ["{{if}}", "template: :1: missing value for if"],
  ["{{}}", "template: :1: missing value for command"],
  ["a\n{{range .IPAM.Config}}", "template: :2: unexpected EOF"],
  ["{{$x}}", 'template: :1: undefined variable "$x"'],
  ['{{"a}}', "template: :1: unterminated quoted string"],
])("%j cannot be read", (template, message) => {
  expect(() => compileTemplate(template)).toThrow(message);
});

test.each([
  ["{{.Bogus}}", 'template: :1:2: executing "" at <.Bogus>: map has no entry for key "Bogus"'],
  ["{{.IPAM.Bogus}}", 'template: :1:7: executing "" at <.IPAM.Bogus>: map has no entry for key "Bogus"'],
  ["a\n {{.Bogus}}", 'template: :2:3: executing "" at <.Bogus>: map has no entry for key "Bogus"'],
  ["{{.Name.Foo}}", "can't evaluate field Foo in type interface {}"],
  ["{{index .IPAM.Config 5}}", "at <index .IPAM.Config 5>: error calling index: index out of range: 5"],
  ["{{.Name .Name}}", "Name has arguments but cannot be invoked as function"],
  ["{{range .Name}}{{end}}", "range can't iterate over web"],
])("%j does not suit the value", (template, message) => {
  expect(() => compileTemplate(template)(data)).toThrow(message);
});

test("fields of a struct with a type are told by it; methods take arguments", () => {
  const typed = new GoStruct("*network.networkContext", [{ name: "Name", value: "web" }], {
    Label: ([key = ""]) => `<${String(key)}>`,
  });
  expect(compileTemplate('{{.Label "a"}}')(typed)).toBe("<a>");
  expect(() => compileTemplate("{{.Bogus}}")(typed)).toThrow(
    "can't evaluate field Bogus in type *network.networkContext",
  );
});
