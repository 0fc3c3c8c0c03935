(* CSV (RFC 4180) with Angstrom. Quoted fields stay as they are written, without their quotes. *)
open Angstrom

let skip_char c = skip (Char.equal c)

let quoted take =
  let is_plain c = c <> '"' in
  let plain = skip is_plain *> skip_while is_plain in
  skip_char '"' *> take (skip_many (plain <|> string "\"\"" *> return ())) <* skip_char '"'

let is_bare = function ',' | '\n' | '\r' | '"' -> false | _ -> true
let line_end = skip_char '\n' <|> string "\r\n" *> return ()
let table = many (sep_by1 (skip_char ',') (quoted consumed <|> take_while is_bare) <* line_end)

(* The same language; no values are made of it. *)
let lines =
  let field = quoted (fun inner -> inner) <|> skip_while is_bare in
  let more = skip_many (skip_char ',' *> field) in
  skip_many (field *> more *> line_end)

let () =
  let file = open_in_bin Sys.argv.(2) in
  let source = really_input_string file (in_channel_length file) in
  let parse parser = parse_string ~consume:Consume.All parser source in
  if Sys.argv.(1) = "tree" then
    match parse table with
    | Ok table ->
      let count = List.fold_left (fun n record -> n + List.length record) 0 in
      let letters = List.fold_left (List.fold_left (fun n field -> n + String.length field)) 0 in
      Printf.printf "%d %d %d\n" (List.length table) (count table) (letters table)
    | Error _ -> print_endline "rejected"
  else print_endline (match parse lines with Ok () -> "accepted" | Error _ -> "rejected")
