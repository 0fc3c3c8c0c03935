(* JSON (RFC 8259) with Angstrom. Text stays as it is written: escapes are checked, not replaced. *)
open Angstrom

type json =
  | Null
  | Truth of bool
  | Number of float
  | Text of string
  | Items of json list
  | Fields of (string * json) list

let blank = skip_while (function ' ' | '\n' | '\r' | '\t' -> true | _ -> false)
let is_digit = function '0' .. '9' -> true | _ -> false
let is_hex = function '0' .. '9' | 'a' .. 'f' | 'A' .. 'F' -> true | _ -> false
let skip_char c = skip (Char.equal c)
let digits = skip is_digit *> skip_while is_digit

let number =
  let whole = skip_char '0' <|> (skip (function '1' .. '9' -> true | _ -> false) *> skip_while is_digit) in
  let sign = option () (skip (function '+' | '-' -> true | _ -> false)) in
  let exponent = skip (function 'e' | 'E' -> true | _ -> false) *> sign *> digits in
  option () (skip_char '-') *> whole *> option () (skip_char '.' *> digits) *> option () exponent

let text =
  let is_plain c = c <> '"' && c <> '\\' && c >= ' ' in
  let plain = skip is_plain *> skip_while is_plain in
  let simple = skip (function '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' -> true | _ -> false) in
  let hex = skip is_hex in
  let escape = skip_char '\\' *> (simple <|> (skip_char 'u' *> hex *> hex *> hex *> hex)) in
  skip_many (plain <|> escape)

let quoted inner = skip_char '"' *> inner <* skip_char '"'
let comma = skip_char ',' *> blank
let colon = blank *> skip_char ':' *> blank

let json =
  fix (fun json ->
      let item = json <* blank in
      let field = lift2 (fun name value -> (name, value)) (quoted (consumed text) <* colon) item in
      peek_char_fail >>= function
      | '"' -> quoted (consumed text) >>| fun text -> Text text
      | '{' -> skip_char '{' *> blank *> sep_by comma field <* skip_char '}' >>| fun fields -> Fields fields
      | '[' -> skip_char '[' *> blank *> sep_by comma item <* skip_char ']' >>| fun items -> Items items
      | 't' -> string "true" *> return (Truth true)
      | 'f' -> string "false" *> return (Truth false)
      | 'n' -> string "null" *> return Null
      | _ -> consumed number >>| fun digits -> Number (float_of_string digits))

(* The same language; no values are made of it. *)
let value =
  fix (fun value ->
      let item = value <* blank in
      let field = quoted text *> colon *> item in
      let separated item = option () (item *> skip_many (comma *> item)) in
      peek_char_fail >>= function
      | '"' -> quoted text
      | '{' -> skip_char '{' *> blank *> separated field <* skip_char '}'
      | '[' -> skip_char '[' *> blank *> separated item <* skip_char ']'
      | 't' -> string "true" *> return ()
      | 'f' -> string "false" *> return ()
      | 'n' -> string "null" *> return ()
      | _ -> number)

let values = ref 0
let letters = ref 0
let sum = ref 0.0

let rec count json =
  incr values;
  match json with
  | Null -> ()
  | Truth truth -> if truth then incr letters
  | Number x -> sum := !sum +. x
  | Text text -> letters := !letters + String.length text
  | Items items -> List.iter count items
  | Fields fields ->
    List.iter (fun (name, value) -> letters := !letters + String.length name; count value) fields

let () =
  let file = open_in_bin Sys.argv.(2) in
  let source = really_input_string file (in_channel_length file) in
  let parse parser = parse_string ~consume:Consume.All (blank *> parser <* blank) source in
  if Sys.argv.(1) = "tree" then
    match parse json with
    | Ok json ->
      count json;
      Printf.printf "%d %d %d\n" !values !letters (int_of_float !sum)
    | Error _ -> print_endline "rejected"
  else print_endline (match parse value with Ok () -> "accepted" | Error _ -> "rejected")
