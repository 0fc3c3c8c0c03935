(* Lines of integer arithmetic with Angstrom. Integers have 64 bits, as elsewhere. *)
open Angstrom

type expr =
  | Number of int64
  | Negative of expr
  | Binary of (int64 -> int64 -> int64) * expr * expr

let blank = skip_while (function ' ' | '\n' | '\r' | '\t' -> true | _ -> false)
let is_digit = function '0' .. '9' -> true | _ -> false
let token c = skip (Char.equal c) *> blank

let lines =
  let binary c operator = token c *> return (fun a b -> Binary (operator, a, b)) in
  let chain operand operator =
    let rec more left = lift2 (fun join right -> join left right) operator operand >>= more <|> return left in
    operand >>= more
  in
  let sum =
    fix (fun sum ->
        let number = take_while1 is_digit <* blank >>| fun digits -> Number (Int64.of_string digits) in
        let factor =
          fix (fun factor ->
              number <|> (token '(' *> sum <* token ')') <|> (token '-' *> factor >>| fun inner -> Negative inner))
        in
        let product = chain factor (binary '*' Int64.mul) in
        chain product (binary '+' Int64.add <|> binary '-' Int64.sub))
  in
  many (sum <* token ';')

(* The same language; no values are made of it. *)
let nothing =
  let separated operand operator = operand *> skip_many (operator *> operand) in
  let sum =
    fix (fun sum ->
        let number = skip is_digit *> skip_while is_digit *> blank in
        let factor = fix (fun factor -> number <|> (token '(' *> sum <* token ')') <|> token '-' *> factor) in
        separated (separated factor (token '*')) (token '+' <|> token '-'))
  in
  skip_many (sum <* token ';')

let rec evaluate = function
  | Number n -> n
  | Negative inner -> Int64.neg (evaluate inner)
  | Binary (operator, a, b) -> operator (evaluate a) (evaluate b)

let () =
  let file = open_in_bin Sys.argv.(2) in
  let source = really_input_string file (in_channel_length file) in
  let parse parser = parse_string ~consume:Consume.All (blank *> parser) source in
  if Sys.argv.(1) = "tree" then
    match parse lines with
    | Ok lines ->
      let add total line = Int64.add (Int64.mul total 31L) (evaluate line) in
      Printf.printf "%d %Ld\n" (List.length lines) (List.fold_left add 0L lines)
    | Error _ -> print_endline "rejected"
  else print_endline (match parse nothing with Ok () -> "accepted" | Error _ -> "rejected")
