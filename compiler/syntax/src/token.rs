//! What the words of Reml are: the kinds of tokens and how each is called in messages.

use logos::Logos;

/// The kind of a token. The logos rules find words and operators; what needs a scanner of its own (comments, strings,
/// characters, Unicode identifiers) is recognised by its opening here and completed by [`crate::lex`].
#[derive(Logos, Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[logos(skip r"[ \t\r\x0B\x0C]+")]
#[repr(u8)]
pub enum Kind {
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*")]
    Ident,
    #[regex(r"[0-9][0-9_]*")]
    #[regex(r"0[bBoOxX][0-9A-Za-z_]*")]
    Int,
    #[regex(r"[0-9][0-9_]*\.[0-9][0-9_]*([eE][+\-]?[0-9][0-9_]*)?")]
    #[regex(r"[0-9][0-9_]*[eE][+\-]?[0-9][0-9_]*")]
    Float,
    #[token("'")]
    Char,
    #[token("\"")]
    Str,
    #[regex("r#*\"")]
    RawStr,
    #[token("\"\"\"")]
    TripleStr,

    #[token("module")]
    Module,
    #[token("use")]
    Use,
    #[token("as")]
    As,
    #[token("pub")]
    Pub,
    #[token("self")]
    SelfValue,
    #[token("super")]
    Super,
    #[token("let")]
    Let,
    #[token("var")]
    Var,
    #[token("fn")]
    Fn,
    #[token("type")]
    Type,
    #[token("alias")]
    Alias,
    #[token("new")]
    New,
    #[token("trait")]
    Trait,
    #[token("impl")]
    Impl,
    #[token("extern")]
    Extern,
    #[token("effect")]
    Effect,
    #[token("operation")]
    Operation,
    #[token("handler")]
    Handler,
    #[token("conductor")]
    Conductor,
    #[token("channels")]
    Channels,
    #[token("execution")]
    Execution,
    #[token("monitoring")]
    Monitoring,
    #[token("if")]
    If,
    #[token("then")]
    Then,
    #[token("else")]
    Else,
    #[token("match")]
    Match,
    #[token("with")]
    With,
    #[token("for")]
    For,
    #[token("in")]
    In,
    #[token("while")]
    While,
    #[token("loop")]
    Loop,
    #[token("return")]
    Return,
    #[token("defer")]
    Defer,
    #[token("unsafe")]
    Unsafe,
    #[token("break")]
    Break,
    #[token("continue")]
    Continue,
    #[token("perform")]
    Perform,
    #[token("do")]
    Do,
    #[token("handle")]
    Handle,
    #[token("where")]
    Where,
    #[token("true")]
    True,
    #[token("false")]
    False,

    #[token("|>")]
    PipeGt,
    #[token("~>")]
    TildeGt,
    #[token(".")]
    Dot,
    #[token("..")]
    DotDot,
    #[token("...")]
    Ellipsis,
    #[token(",")]
    Comma,
    #[token(";")]
    Semi,
    #[token(":")]
    Colon,
    #[token("::")]
    ColonColon,
    #[token("=")]
    Eq,
    #[token(":=")]
    ColonEq,
    #[token("->")]
    Arrow,
    #[token("=>")]
    FatArrow,
    #[token("(")]
    LParen,
    #[token(")")]
    RParen,
    #[token("[")]
    LBracket,
    #[token("]")]
    RBracket,
    #[token("#[")]
    HashBracket,
    #[token("{")]
    LBrace,
    #[token("}")]
    RBrace,
    #[token("+")]
    Plus,
    #[token("++")]
    PlusPlus,
    #[token("-")]
    Minus,
    #[token("*")]
    Star,
    #[token("/")]
    Slash,
    #[token("%")]
    Percent,
    #[token("^")]
    Caret,
    #[token("<<")]
    Shl,
    /// `>>` is two of these side by side, so that it can also close two type-argument lists.
    #[token(">")]
    Gt,
    #[token("==")]
    EqEq,
    #[token("!=")]
    Ne,
    #[token("<")]
    Lt,
    #[token("<=")]
    Le,
    #[token(">=")]
    Ge,
    #[token("&&")]
    AndAnd,
    #[token("||")]
    OrOr,
    #[token("!")]
    Bang,
    #[token("?")]
    Question,
    #[token("@")]
    At,
    #[token("|")]
    Bar,
    #[token("&")]
    Amp,
    #[token("_", priority = 5)]
    Underscore,
    /// `+=` and its kind are not Reml; they are read to say so.
    #[token("+=")]
    PlusEq,
    #[token("-=")]
    MinusEq,
    #[token("*=")]
    StarEq,
    #[token("/=")]
    SlashEq,

    /// Something the lexer has already complained about.
    Error,
    /// The end of the text; always the last token.
    Eof,

    // Virtual tokens: what layout makes of a line break (`parse::cursor`).
    /// The next line is a new statement, arm or item.
    Newline,
    /// The next line starts left of the open block, or the file's next item begins.
    Dedent,

    // Classes of tokens, only in sets of expected things.
    Expression,
    Pattern,
    TypeExpr,
    Item,
    Name,
    ArmStart,

    // Consumed by the lexer itself; never in a token list.
    #[token("\n")]
    LineBreak,
    #[token("//")]
    LineComment,
    #[token("/*")]
    BlockComment,
    #[regex(r"[^\x00-\x7F]")]
    NonAscii,
}

/// The token starts its line.
pub const LINE_START: u8 = 1;
/// The token starts its line and, where newlines count, also a new statement.
pub const BREAK: u8 = 2;
/// No space between the previous token and this one.
pub const JOINED: u8 = 4;
/// Documentation comments stand before the token.
pub const HAS_DOCS: u8 = 8;
/// A string or character literal with a backslash in it.
pub const ESCAPES: u8 = 16;
/// A string that is never closed: it may have swallowed what should follow.
pub const UNCLOSED: u8 = 32;

/// One token. `start` and `end` are byte offsets into the file; `column` counts Unicode scalar values from 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Token {
    pub kind: Kind,
    pub flags: u8,
    pub column: u16,
    pub start: u32,
    pub end: u32,
    /// The symbol of an identifier; otherwise 0.
    pub symbol: u32,
}

impl Token {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

impl Kind {
    pub fn is_keyword(self) -> bool {
        (Kind::Module as u8..=Kind::False as u8).contains(&(self as u8))
    }

    /// Keywords that are also accepted where a variable may stand: they mean something only at the start of an item
    /// or inside a construct of their own.
    pub fn is_soft_keyword(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Alias
                | New
                | Effect
                | Operation
                | Handle
                | Handler
                | Conductor
                | Channels
                | Execution
                | Monitoring
                | Module
        )
    }

    /// Whether an item can start with this keyword.
    pub fn starts_item(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Module
                | Use
                | Pub
                | Let
                | Var
                | Fn
                | Type
                | Trait
                | Impl
                | Extern
                | Effect
                | Handler
                | Conductor
                | At
                | HashBracket
        )
    }

    pub fn opens(self) -> bool {
        matches!(self, Kind::LParen | Kind::LBracket | Kind::HashBracket | Kind::LBrace)
    }

    pub fn closes(self) -> bool {
        matches!(self, Kind::RParen | Kind::RBracket | Kind::RBrace)
    }

    /// The closing bracket of an opening one.
    pub fn closer(self) -> Kind {
        match self {
            Kind::LParen => Kind::RParen,
            Kind::LBracket | Kind::HashBracket => Kind::RBracket,
            _ => Kind::RBrace,
        }
    }

    /// How messages call this kind.
    pub fn describe(self) -> &'static str {
        use Kind::*;
        match self {
            Ident | Name => "a name",
            Int | Float => "a number",
            Char => "a character literal",
            Str | RawStr | TripleStr => "a string",
            Error | NonAscii => "an unreadable token",
            Eof => "the end of the file",
            Newline | LineBreak => "the end of the line",
            Dedent => "the end of the block",
            Expression => "an expression",
            Pattern => "a pattern",
            TypeExpr => "a type",
            Item => "a declaration",
            ArmStart => "an arm",
            LineComment | BlockComment => "a comment",
            Module => "`module`",
            Use => "`use`",
            As => "`as`",
            Pub => "`pub`",
            SelfValue => "`self`",
            Super => "`super`",
            Let => "`let`",
            Var => "`var`",
            Fn => "`fn`",
            Type => "`type`",
            Alias => "`alias`",
            New => "`new`",
            Trait => "`trait`",
            Impl => "`impl`",
            Extern => "`extern`",
            Effect => "`effect`",
            Operation => "`operation`",
            Handler => "`handler`",
            Conductor => "`conductor`",
            Channels => "`channels`",
            Execution => "`execution`",
            Monitoring => "`monitoring`",
            If => "`if`",
            Then => "`then`",
            Else => "`else`",
            Match => "`match`",
            With => "`with`",
            For => "`for`",
            In => "`in`",
            While => "`while`",
            Loop => "`loop`",
            Return => "`return`",
            Defer => "`defer`",
            Unsafe => "`unsafe`",
            Break => "`break`",
            Continue => "`continue`",
            Perform => "`perform`",
            Do => "`do`",
            Handle => "`handle`",
            Where => "`where`",
            True => "`true`",
            False => "`false`",
            PipeGt => "`|>`",
            TildeGt => "`~>`",
            Dot => "`.`",
            DotDot => "`..`",
            Ellipsis => "`...`",
            Comma => "`,`",
            Semi => "`;`",
            Colon => "`:`",
            ColonColon => "`::`",
            Eq => "`=`",
            ColonEq => "`:=`",
            Arrow => "`->`",
            FatArrow => "`=>`",
            LParen => "`(`",
            RParen => "`)`",
            LBracket => "`[`",
            RBracket => "`]`",
            HashBracket => "`#[`",
            LBrace => "`{`",
            RBrace => "`}`",
            Plus => "`+`",
            PlusPlus => "`++`",
            Minus => "`-`",
            Star => "`*`",
            Slash => "`/`",
            Percent => "`%`",
            Caret => "`^`",
            Shl => "`<<`",
            Gt => "`>`",
            EqEq => "`==`",
            Ne => "`!=`",
            Lt => "`<`",
            Le => "`<=`",
            Ge => "`>=`",
            AndAnd => "`&&`",
            OrOr => "`||`",
            Bang => "`!`",
            Question => "`?`",
            At => "`@`",
            Bar => "`|`",
            Amp => "`&`",
            Underscore => "`_`",
            PlusEq => "`+=`",
            MinusEq => "`-=`",
            StarEq => "`*=`",
            SlashEq => "`/=`",
        }
    }
}
