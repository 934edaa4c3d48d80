"""Near-copies: of evaluation problems in scripts without spaces, and of other training prompts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.core import files
from pipeline.core.records import Duplicate
from pipeline.data.decontaminate import Index, normal, signs, windows, words
from pipeline.data.near import NearCopies, apart
from pipeline.data.problems import Selection
from pipeline.data.settings import Source
from pipeline.report import ledger

SHARED = os.environ.get("PSR_SHARED_DATA")
ZH = "小明有五个苹果，他吃了2个，又买了13个，现在一共有多少个苹果？"
JA = "太郎くんはりんごを5個持っています。2個食べたあと、何個残っていますか。"
TH = "สมชายมีแอปเปิ้ล 5 ผล เขากินไป 2 ผล ตอนนี้เขาเหลือแอปเปิ้ลกี่ผล"
KM = "សុខមានប៉ោម ៥ ផ្លែ គាត់ញ៉ាំអស់ ២ ផ្លែ តើគាត់នៅសល់ប៉ោមប៉ុន្មានផ្លែ"
LO = "ສົມໃຈມີໝາກໂປມ 5 ໜ່ວຍ ລາວກິນໄປ 2 ໜ່ວຍ ລາວຍັງເຫຼືອຈັກໜ່ວຍ"
MY = "မောင်မောင်တွင် ပန်းသီး ၅ လုံး ရှိသည်။ ၂ လုံး စားပြီးနောက် ဘယ်နှစ်လုံး ကျန်သနည်း"
MIXED = "已知函数 f(x)=x^2+3x 的图像与直线 y=kx 有两个交点，求实数 k 的取值范围。"


@pytest.mark.parametrize(
    ("held", "copy"),
    [
        (ZH, ZH),
        (ZH, "小红有五个苹果，他吃了2个，又买了13个，现在一共有多少个苹果？"),
        (ZH, "题目：" + ZH + "请写出过程。"),
        (ZH, ZH.replace("，", ",").replace("？", "?")),
        (ZH, ZH.replace("，", "、").replace("？", "。")),
        (ZH, ZH.replace("13", "１３").replace("2", "２")),
        (ZH, ZH.replace("13", "47")),
        (ZH, " ".join(ZH)),
        (ZH, ZH.replace("苹果", "苹\u200b果")),
        (ZH, "请问：小刚" + ZH[2:]),
        (JA, JA.replace("太郎くん", "花子さん")),
        (JA, JA.replace("りんご", "ﾘﾝｺﾞ")),
        (JA, "問題です。" + JA),
        (TH, TH.replace("สมชาย", "สมหญิง")),
        (TH, TH.replace(" ", "")),
        (KM, "សំណួរ៖ " + KM),
        (LO, LO.replace("ສົມໃຈ", "ສົມສີ")),
        (MY, MY.replace("မောင်မောင်", "အေးအေး")),
        (MIXED, MIXED.replace("已知", "设有")),
        (MIXED, MIXED.replace("求实数", "试求实数").replace(" ", "")),
        ("求 x。", "求 x"),
        ("解方程组吧", "请你解方程组吧，谢谢"),
        ("Anna – who has 3 apples – eats “one”.", "ANNA - who has 7 apples - eats one"),
        ("Compute x − 3 for x = 5.", "compute x-3 for x = 8"),
    ],
)
def test_a_near_copy_of_an_evaluation_problem_is_found(held: str, copy: str) -> None:
    assert Index({"e": held}, 8).hit(copy) is not None


@pytest.mark.parametrize(
    ("held", "other"),
    [
        (ZH, "小明有五本书。他送给同学两本，还剩几本？"),
        (ZH, "一辆汽车每小时行60千米，从甲地到乙地用了3小时。"),
        (JA, "花子さんは本を3冊買いました。全部でいくらですか。"),
        (TH, "รถคันหนึ่งวิ่งได้ 60 กิโลเมตรต่อชั่วโมง"),
        (MIXED, "已知数列的前n项和为S，求通项公式。"),
        ("求x", "求y"),
        ("What is 3 + 4?", "What is 3 - 4?"),
    ],
)
def test_another_problem_is_no_hit(held: str, other: str) -> None:
    assert Index({"e": held}, 8).hit(other) is None


def test_a_chinese_character_counts_as_a_word_and_a_letter_without_spaces_as_half_of_one() -> None:
    assert words(signs("求函数f(x)的值12")) == ["求", "函", "数", "f", "x", "的", "值", "12"]
    assert words(signs("กี่บาท")) == ["กี่", "บ", "า", "ท"]
    assert words(signs("किताब नई naïve 한국어 책")) == ["किताब", "नई", "naïve", "한국어", "책"]
    assert list(windows(["a"] * 4, 3)) == [(0, 3), (1, 4)]
    assert list(windows(["一"] * 4, 3)) == [(0, 3), (1, 4)]
    assert list(windows(["か"] * 7, 3)) == [(0, 6), (1, 7)]
    assert list(windows(["か", "a", "か", "b"], 2)) == [(0, 3), (1, 4)]
    assert normal("“A” — b…") == "a - b"


ANNA = "Anna has 3 apples and buys 4 more. How many apples does she have now?"
NEAR = [
    ANNA.replace("Anna", "Ben"),
    ANNA.replace("buys", "then buys"),
    ANNA.replace("apples does", "of the apples does"),
    ANNA.replace("and", ", and").replace("?", "!!"),
]
APART = [
    ANNA.replace("3", "5"),
    ANNA.replace("3", "4").replace("4 more", "3 more"),
    "Anna has 3 apples and eats 4 of the pears that Ben brought. What is left?",
    "Find sin(x) + 3 for all real numbers x.",
    "Find sin(x) - 3 for all real numbers x.",
    "Find sin(y) + 3 for all real numbers y.",
]


def source(path: Path, prompts: list[str], rows: int = 0) -> Source:
    path.write_text("".join(json.dumps({"q": prompt}) + "\n" for prompt in prompts))
    return Source(path=str(path), rows=rows, prompt="q")


@pytest.mark.parametrize("near", NEAR)
def test_a_near_copy_of_another_training_prompt_is_left_out_with_both_texts(near: str, tmp_path: Path) -> None:
    selection = Selection([], 8, 1)
    (kept,) = selection.take(source(tmp_path / "a.jsonl", [ANNA, near]), "ift")
    (copy,) = selection.duplicates
    assert {kept.prompt, copy.prompt} == {ANNA, near} and copy.kept_by == "ift"
    assert copy.near in (None, kept.prompt) and (copy.near is None) == (normal(near) == normal(ANNA))
    assert len(Selection([], 8, 1, near=0).take(source(tmp_path / "b.jsonl", [ANNA, NEAR[0]]), "ift")) == 2


def test_other_numbers_operators_and_variables_make_another_problem(tmp_path: Path) -> None:
    selection = Selection([], 8, 1)
    assert len(selection.take(source(tmp_path / "a.jsonl", [ANNA, *APART]), "ift")) == len(APART) + 1
    assert not selection.duplicates


@pytest.mark.parametrize("rows", [0, 5, 20, 39])
def test_near_copies_do_not_depend_on_the_order_of_rows_and_others_take_their_place(rows: int, tmp_path: Path) -> None:
    prompts = [
        text.replace("3", str(n)) for n in range(40) for text in (ANNA, ANNA.replace("Anna", "Ben"), ANNA + " Now!")
    ]
    one, other = Selection([], 8, 1), Selection([], 8, 1)
    first = one.take(source(tmp_path / "a.jsonl", prompts, rows), "ift")
    assert first == other.take(source(tmp_path / "b.jsonl", prompts[::-1], rows), "ift")
    assert one.duplicates == other.duplicates and len(first) == (rows or 40)
    assert not one.duplicates or {copy.kept_by for copy in one.duplicates} == {"ift"}
    later = one.take(source(tmp_path / "c.jsonl", [*prompts, "Why?"], 0), "eft")
    assert len(later) == 41 - (rows or 40)
    assert {copy.kept_by for copy in one.duplicates if copy.role == "eft"} <= {"ift", "eft"}


def test_near_copies_have_a_line_of_their_own_in_the_ledger(tmp_path: Path) -> None:
    rows = [Duplicate("eft", "1", "text", "ift"), Duplicate("eft", "2", "texts", "ift", "text")]
    files.write(tmp_path / "duplicates.parquet", Duplicate, rows)
    copied = ledger.ledger([ledger.duplicates(tmp_path / "duplicates.parquet")])
    assert copied["reason"].to_list() == ["duplicate_of_ift", "near_copy_of_ift"]


def test_the_search_for_near_copies_is_exact() -> None:
    texts = [f"{'alpha beta gamma delta epsilon zeta eta theta iota kappa'[: 9 + n]} {n % 3}" for n in range(46)]
    for share in (0.5, 0.8, 0.95):
        copies, kept = NearCopies(share), list[str]()
        for text in texts:
            (skeleton, own), copied = apart(text), copies.find(apart(text))
            near = [
                t for t in kept if apart(t)[0] == skeleton and len(own & apart(t)[1]) >= share * len(own | apart(t)[1])
            ]
            assert copied == (("ift", near[0]) if near else None)
            if not near:
                copies.take("ift", text, apart(text))
                kept.append(text)


@pytest.mark.skipif(SHARED is None, reason="PSR_SHARED_DATA does not name a folder with the real data")
def test_of_all_real_gsm8k_problems_the_one_near_copy_is_found() -> None:
    selection = Selection([], 8, 1)
    kept = selection.take(Source(path=f"{SHARED}/process/gsm8k_train.jsonl", rows=0, prompt="question"), "ift")
    (copy,) = selection.duplicates
    assert (
        len(kept) == 7472 and "received $50 as a gift" in copy.prompt and "received $50 as a gift" in (copy.near or "")
    )
