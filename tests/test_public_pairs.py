"""Pairs as users of public graders report them (Math-Verify, Qwen2.5-Math, PRIME, lm-evaluation-harness).

Each with the verdict that is right mathematically; all but the last table hold with answer and gold changed over.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.core.records import Grade
from pipeline.domains.graders.pool import Grader

RIGHT = r"""
10000000000000000 ~ 1e+16
1e16 ~ 10^{16}
1.5e-3 ~ 0.0015
2E3 ~ 2000
-1.2e2 ~ -120
0.00032 ~ 3.2\times10^{-4}
3.2 \cdot 10^{-4} ~ 3.2\times 10^{-4}
3.2 x 10^-4 ~ 0.00032
3.2*10^{-4} ~ \frac{8}{25000}
6.02×10²³ ~ 6.02\times 10^{23}
1{,}500 ~ 1.5 \times 10^3
10^{-3} ~ 0.001
4.0\times10^{5}\text{ km} ~ 400000
0.\overline{6} ~ \frac{2}{3}
0.\bar{6} ~ 0.\overline{6}
0.\dot{6} ~ 2/3
0.1\overline{6} ~ \frac16
.\overline{3} ~ \frac13
0.\overline 3 ~ \frac13
0.\dot{1}4285\dot{7} ~ \frac17
0.(3) ~ \frac13
0.333\ldots ~ \frac13
0.666... ~ \frac{2}{3}
0.142857142857... ~ \frac{1}{7}
2.\overline{27} ~ \frac{25}{11}
-0.\overline{9} ~ -1
2.7 ~ \approx 2.7
x \approx 2.7 ~ 2.7
≈ 2.7 ~ 2.7
\frac{200}{3} \approx 66.67 ~ \frac{200}{3}
x = \frac13 \approx 0.33 ~ \frac13
approximately 42 ~ 42
\frac{1}{\mathrm{e}} ~ e^{-1}
1-\frac{1}{\mathrm{e}} ~ 1 - \frac1e
2\mathrm{i} ~ 2i
\mathrm{e}^{2} ~ e^2
120 000 ~ 120000
120\,000 ~ 120000
1 234 567 ~ 1,234,567
120 000 dollars ~ 120000
12~000 ~ 12000
\varnothing ~ \emptyset
∅ ~ \emptyset
\{\} ~ \emptyset
\cos 60^\circ ~ \frac{1}{2}
\sin(30^\circ) ~ 0.5
\tan{45°} ~ 1
\sin^2 60^{\circ} ~ \frac34
2\cos 30^\circ ~ \sqrt{3}
x != 3 ~ x \neq 3
x \ne 3 ~ x \neq 3
x \not= 3 ~ x≠3
3 \neq x ~ x \neq 3
V_1:V_2=11:21 ~ 11:21
V_{1}:V_{2}=11:21 ~ 11:21
|AB|=1 ~ 1
|\overrightarrow{AB}|=1 ~ 1
\overline{AB}=5 ~ 5
\angle ABC = 60^\circ ~ 60
\triangle ABC = 7 ~ 7
S_{\triangle ABC}=7 ~ 7
f'(x)=2x ~ 2x
f^{-1}(x)=x-1 ~ x-1
P(A|B)=\frac12 ~ \frac{1}{2}
P(X=1)=0.5 ~ 0.5
E(X)=3 ~ 3
\text{Area}=12 ~ 12
\vec{a}=(1,2) ~ (1,2)
\lambda_1=2 ~ 2
a_{n+1}=2n ~ 2n
\cos A=\frac12 ~ \frac{1}{2}
\tan\theta=\frac34 ~ \frac{3}{4}
113 ~ m+n=113
p=5,q=2;p=7,q=2 ~ (5,2),(7,2)
(p,q)=(5,2),(7,2) ~ (5,2),(7,2)
(p,q)=(5,2) or (p,q)=(7,2) ~ (7,2),(5,2)
x=1,y=2 ~ (1,2)
x_1=1,x_2=2 ~ 2,1
x=1 \text{ or } x=2 ~ 1,2
a=1; b=2; c=3 ~ (1,2,3)
0.5x ~ \frac{x}{2}
1.5\pi ~ \frac{3\pi}{2}
e^{0.5} ~ \sqrt{e}
0.25\sqrt{2} ~ \frac{\sqrt{2}}{4}
0.1x+0.2x ~ 0.3x
x < 0.5 ~ x<\frac12
x < 0.5 ~ (-\infty,\frac12)
\sqrt{0.25} ~ \frac12
(1,4.5) ~ (1,\frac{9}{2})
0.0833333333333333 ~ \frac{1}{12}
\frac{x}{7}+\frac{2}{7} ~ \frac{x+2}{7}
\sec^2(y) ~ \tan^2(y)+1
-34x-45y+20z-100=0 ~ 34x+45y-20z+100=0
2x+4y-3=0 ~ y=-\frac12x+\frac34
\frac{\sqrt{\sqrt{11}+\sqrt{194}}}{2\sqrt{33}+15} ~ \frac{\sqrt{\sqrt{11}+\sqrt{194}}}{15+2\sqrt{33}}
\text{13} ~ 13
4\sqrt(2) ~ 4\sqrt{2}
(0, 12.5) ~ 0<x<12.5
x<3 ~ (-\infty,3)
m \geq \sqrt{2} ~ m \in [\sqrt{2},+\infty)
19, 46, and 82 ~ 19, 46, \text{ and } 82
\pm 2021 ~ \{-2021, 2021\}
12:00 ~ 12:00
\left[\begin{array}{cc}1&2\\3&4\end{array}\right] ~ \begin{pmatrix}1&2\\3&4\end{pmatrix}
\begin{pmatrix}1&2\\3&4\\\end{pmatrix} ~ \begin{pmatrix}1&2\\3&4\end{pmatrix}
\mathbb{R} ~ (-\infty,\infty)
(-\infty,\infty) ~ (-\infty,+\infty)
10\% ~ 0.1
28 percent ~ 28\%
\frac{1}{2}\text{ meters} ~ 1/2
\$1,000.99 ~ 1000.99
x=5+5+1=11 ~ 11
\frac{1}{2^{10}} ~ \frac{1}{1024}
\frac{1}{2^{87}} ~ 2^{-87}
\frac{1}{10!} ~ \frac{1}{3628800}
\frac{2^{100}}{2^{99}} ~ 2
\sqrt[3]{27} ~ 3
\ln e^2 ~ 2
\log_{10} 1000 ~ 3
\binom{5}{2} ~ 10
3! ~ 6
(x+1)(x-1) ~ x^2-1
\frac{a+b}{c} ~ (a+b)/c
\cos^2 x ~ 1-\sin^2 x
\infty ~ +\infty
1,2,\ldots,n ~ 1, 2, \dots, n
\mathbf{x}+1 ~ x+1
"""

WRONG = r"""
\frac{1}{2^{87}} ~ \frac{1}{2^{88}}
\frac{1}{2^{99}} ~ \frac{1}{2^{98}}
\frac{1}{2004!} ~ \frac{1}{2006!}
\frac{2^{2005}+1}{3\cdot 2^{2006}} ~ \frac{1}{3\cdot 2^{2006}}
\frac{2^{2005}+1}{3\cdot 2^{2006}} ~ \frac{1}{6}
e^{-50} ~ e^{-51}
\pi^{-40} ~ 0
\frac{\sqrt2}{10^{20}} ~ \frac{\sqrt3}{10^{20}}
\frac{x}{2^{87}} ~ \frac{x}{2^{88}}
1+2^{-80} ~ 1
\sqrt2+10^{-30} ~ \sqrt2
\left(\frac{1}{2^{87}},1\right) ~ \left(\frac{1}{2^{88}},1\right)
10000000000000000 ~ 10000000000000001
576460752303423488 ~ 5.764607523034235e+17
1e16 ~ 1e15
3.2\times10^{-4} ~ 3.2\times10^{4}
0.00032 ~ 0.00033
0.00032 ~ 3.2\times10^{-5}
0.\overline{6} ~ 0.6
0.\overline{6} ~ 0.66
0.\overline{67} ~ 0.\overline{6}
0.1\overline{6} ~ 0.\overline{16}
0.333\ldots ~ 0.333
2.7 ~ \approx 2.8
1 - \frac{1}{\mathrm{e}} ~ 1 + \frac{1}{\mathrm{e}}
120 000 ~ 120
120 000 ~ 120,0
1 2 ~ 12
12 34 ~ 1234
\emptyset ~ 0
\varnothing ~ \{0\}
\cos 60^\circ ~ \cos 60
\cos 60^\circ ~ \frac{\sqrt3}{2}
\sin 30 ~ \frac12
x \neq 3 ~ x = 3
x \neq 3 ~ x \neq 4
x \neq 3 ~ 3
n!=6 ~ n \neq 6
V_1:V_2=11:21 ~ 21:11
V_1:V_2=11:21 ~ 11
|AB|=1 ~ 2
|x|=1 ~ 1
x^2=4 ~ 4
x^2=4 ~ x=2
p=5,q=2;p=7,q=2 ~ (2,5),(2,7)
p=5,q=2;p=7,q=2 ~ (5,2)
p=5,q=2 ~ (2,5)
x=1,y=2 ~ 2,1
(1,2),(3,4) ~ (1,2,3,4)
4 ~ 4\sqrt(2)
n=2,3,4 ~ n=1,2,3
D=(0,1) ~ D=(0,1.5)
\pm 2021 ~ 2021
12:00 ~ 1:00
1,2,\ldots,n ~ 1,3,5,\ldots,2n-1
1:2:3:\ldots ~ 1:4:9:\ldots
3x-y+13=0 ~ 3x+4y+14=0
f(x)=0 ~ g(x)=0
(a+5)(b+2) ~ (+5)(b+2)
2 ~ \frac{1+\sqrt5}{2}
4 ~ \frac{34}{16}+\frac{\sqrt{1358}}{16}
1 ~ 1\sqrt{19}
x+1 ~ x+2n+1
[0,9) ~ [0,1)
(0,9) ~ [0,9)
0.28 ~ 28
28 ~ 28/100
\frac{100}{3} ~ 33.3
0.3x ~ \frac{x}{3}
0.33x ~ \frac{x}{3}
x<0.5 ~ x<0.51
\mathbb{R} ~ (0,\infty)
x=y ~ x=z
2e ~ 2
11a+c ~ 7=11a+d
"""

# With answer and gold changed over, these are others: a base may be left out by an answer alone.
ONE_WAY = r"""
4210 ~ 4210_5
"""


def pairs(text: str) -> list[tuple[str, str]]:
    """Pairs written `answer ~ gold`, one a line."""
    return [(answer, gold) for answer, _, gold in (line.partition(" ~ ") for line in text.strip().splitlines())]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=2) as grader:
        yield grader


@pytest.mark.parametrize(("answer", "gold"), [*pairs(RIGHT), *pairs(ONE_WAY)])
def test_what_means_the_same_is_right(grader: Grader, answer: str, gold: str) -> None:
    assert grader.grade([(answer, gold)]) == [Grade.RIGHT]


@pytest.mark.parametrize(("gold", "answer"), pairs(RIGHT))
def test_what_means_the_same_is_right_the_other_way_round(grader: Grader, answer: str, gold: str) -> None:
    assert grader.grade([(answer, gold)]) == [Grade.RIGHT]


@pytest.mark.parametrize(("answer", "gold"), pairs(WRONG))
def test_what_means_something_else_is_wrong_both_ways(grader: Grader, answer: str, gold: str) -> None:
    assert grader.grade([(answer, gold), (gold, answer)]) == [Grade.WRONG] * 2
