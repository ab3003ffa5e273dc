from datetime import date

import pytest

from smi_pipeline.months import Month
from smi_pipeline.registry.load import (
    RegistryError,
    parse_editions,
    parse_expert_scores,
    parse_registry,
    parse_weight_inputs,
    read_folder,
    read_registry,
)
from smi_pipeline.registry.template import from_dataset

CITIES = "city_id,name_zh,name_en,province,valid_from,valid_to\n320100,南京,Nanjing,江苏,2024-05-01,\n"
ACCOUNTS = "city_id,platform,handle,account_id,role,in_index,valid_from,valid_to\n"


def problems(cities=CITIES, accounts=ACCOUNTS):
    with pytest.raises(RegistryError) as caught:
        parse_registry(cities, accounts, "reg")
    return caught.value.problems


def test_a_city_and_its_account_are_read_as_written():
    registry = parse_registry(
        CITIES, ACCOUNTS + "320100,youtube,@nanjing,UCabcdefghijklmnopqrstuv,main,true,2024-05-01,2025-01-01\n"
    )
    [city], [account] = registry.cities, registry.accounts
    assert (city.name_en, city.valid_to) == ("Nanjing", None)
    assert (account.handle, account.platform_account_id) == ("nanjing", "UCabcdefghijklmnopqrstuv")
    assert account.is_valid(date(2024, 12, 31))
    assert not account.is_valid(date(2025, 1, 1))


def test_an_account_without_an_id_goes_by_its_handle():
    [account] = parse_registry(CITIES, ACCOUNTS + "320100,tiktok,nanjing.city,,,,,\n").accounts
    assert (account.account_id, account.role, account.in_index) == ("nanjing.city", "main", True)


def test_every_mistake_is_named_with_file_line_and_column_at_once():
    found = problems(
        accounts=ACCOUNTS
        + "320100,twiter,nj,,,,,\n"
        + "320100,x,this_handle_is_too_long,,,,,\n"
        + "320100,x,nj,,,perhaps,,\n"
        + "999999,x,nj2,,,,2025-02-30,\n"
    )
    assert found[0].startswith("reg/accounts.csv line 2, column platform: ")
    assert "'twiter'" in found[0]
    assert found[1].startswith("reg/accounts.csv line 3")
    assert "this_handle_is_too_long" in found[1]
    assert found[2].startswith("reg/accounts.csv line 4, column in_index: ")
    assert found[3].startswith("reg/accounts.csv line 5, column valid_from: ")


def test_an_account_of_an_unknown_city_and_a_doubled_account_are_refused():
    found = problems(accounts=ACCOUNTS + "1,x,a,,,,,\n320100,x,b,7,,,,\n320100,x,c,7,,,,\n")
    assert found == [
        "reg/accounts.csv line 2, column city_id: no city '1' in cities.csv",
        "reg/accounts.csv line 4, column account_id: '7' of x stands on line 3 already",
    ]


def test_a_span_that_ends_before_it_begins_is_refused():
    [found] = problems(cities=CITIES + "1,甲,A,,2025-02-01,2025-01-01\n")
    assert "line 3" in found
    assert "must come after" in found


def test_a_missing_or_misspelt_column_is_named():
    assert "column name_en is missing" in problems(cities="city_id,name_zh\n1,a\n")[0]
    assert "unknown column nane" in problems(cities="city_id,name_zh,name_en,nane\n1,a,b,c\n")[0]


def test_a_missing_folder_says_what_a_registry_has(tmp_path):
    with pytest.raises(RegistryError, match=r"cities\.csv: not found"):
        read_registry(tmp_path)


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "cities.csv").write_bytes("city_id,name_zh,name_en\n1,南京,N\n".encode("gbk"))
    with pytest.raises(RegistryError, match="not UTF-8"):
        read_registry(tmp_path)


def test_a_weight_input_given_twice_for_a_month_is_refused():
    row = "2024-05,x,users,1,bn,source,2024-05-01,2024-05-02\n"
    head = "month,platform,factor,value,unit,source,as_of,retrieved_at\n"
    with pytest.raises(RegistryError, match="line 3: x users of 2024-05 stands on line 2 already"):
        parse_weight_inputs(head + row + row)


def test_a_data_sets_accounts_become_a_registry_of_one_entity_each(tmp_path):
    (tmp_path / "accounts.csv").write_text(
        "platform,account_id,handle,display_name,followers,followers_at\nx,7,nasa,NASA,,\nyoutube,UCq,,Q,,\n"
    )
    assert from_dataset(tmp_path, tmp_path / "registry") == 2
    registry = read_registry(tmp_path / "registry")
    assert [(a.account_id, a.handle, a.city_id) for a in registry.accounts] == [
        ("7", "nasa", "x-7"),
        ("UCq", "UCq", "youtube-UCq"),
    ]
    with pytest.raises(RegistryError, match="is there already"):
        from_dataset(tmp_path, tmp_path / "registry")


HEAD = "rater,city_id,criterion,score\n"


def scores(text, criteria=()):
    return parse_expert_scores(text, "2025-05.csv", cities={"320100", "510100"}, scale=(1, 10), criteria=criteria)


def mistakes(text, criteria=()):
    with pytest.raises(RegistryError) as caught:
        scores(text, criteria)
    return caught.value.problems


def test_expert_scores_are_read_as_written():
    [first, second] = scores(HEAD + "R01,320100,content,7\n R02 , 510100 ,content, 6.5 \n")
    assert (first.rater, first.city_id, first.criterion, first.score) == ("R01", "320100", "content", 7)
    assert (second.rater, second.city_id, second.score) == ("R02", "510100", 6.5)


@pytest.mark.parametrize("end", ["1", "10"])
def test_the_ends_of_the_scale_are_scores(end):
    assert scores(HEAD + f"R01,320100,content,{end}\n")[0].score == float(end)


def test_every_mistake_of_a_file_of_scores_is_named_at_once():
    """Two in one line as well, and of a line that is no row at all whatever can still be said."""
    text = HEAD + (
        "R01,320100,content,7\n"
        "R01,999999,content,11\n"
        ",320100,content,5\n"
        "R02,320100,content,seven\n"
        "   ,320100,content,5\n"
        "R01,320100,content,0.5\n"
        "R03,320100,content,\n"
        "R04,999999,,nan\n"
    )
    assert [problem.removeprefix("2025-05.csv ") for problem in mistakes(text)] == [
        "line 3, column city_id: no city '999999' is monitored in this month",
        "line 3, column score: expected 1 to 10; got '11'",
        "line 4, column rater: Field required; got nothing",
        "line 5, column score: Input should be a valid number, unable to parse string as a number; got 'seven'",
        "line 6, column rater: String should have at least 1 character; got '   '",
        "line 7, column score: expected 1 to 10; got '0.5'",
        "line 7, column rater: 'R01' scores content of 320100 on line 2 already",
        "line 8, column score: Field required; got nothing",
        "line 9, column criterion: Field required; got nothing",
        "line 9, column score: Input should be a finite number; got 'nan'",
        "line 9, column city_id: no city '999999' is monitored in this month",
    ]


def test_a_criterion_must_be_one_the_method_names_where_it_names_any():
    row = HEAD + "R01,320100,style,7\n"
    assert scores(row)[0].criterion == "style"
    [found] = mistakes(row, criteria={"content": 1.0, "language": 2.0})
    assert found == "2025-05.csv line 2, column criterion: expected one of content, language; got 'style'"


def test_a_rater_may_score_several_criteria_and_cities_but_each_once():
    assert len(scores(HEAD + "R,320100,a,1\nR,320100,b,1\nR,510100,a,1\nS,320100,a,1\n")) == 4
    [found] = mistakes(HEAD + "R,320100,a,1\nR,320100,b,1\n R,320100,a ,2\n")
    assert found.endswith("line 4, column rater: 'R' scores a of 320100 on line 2 already")


def test_a_file_of_scores_without_a_column_is_refused_by_its_name():
    [found] = mistakes("rater,city,criterion,score\nR,320100,a,1\n")
    assert found == "2025-05.csv line 1: column city_id is missing; found rater, city, criterion, score"


EDITION = "month,ranks,reason_zh,reason_en\n"


def test_how_months_are_published_is_read_as_written():
    shown, withheld = parse_editions(EDITION + "2025-09,shown,,\n2025-10,withheld, 数据核对中 ,under review\n")
    assert (shown.month, shown.ranks, shown.reason_en) == ("2025-09", "shown", "")
    assert (withheld.ranks, withheld.reason_zh, withheld.reason_en) == ("withheld", "数据核对中", "under review")


def test_reasons_are_not_needed_where_all_ranks_are_shown():
    [rule] = parse_editions("month,ranks\n2025-10,shown\n")
    assert rule.ranks == "shown"


def test_every_mistake_about_an_edition_is_named_with_line_and_column_at_once():
    """Ranks withheld without a word why would leave the page without its sentence, in the language that lacks it."""
    with pytest.raises(RegistryError) as refused:
        parse_editions(
            EDITION
            + "2025-10,withheld,数据核对中,\n2025-13,shown,,\n2025-11,hidden,,\n2025-10,shown,,\n,withheld,x,y\n",
            "reg/editions.csv",
        )
    found = refused.value.problems
    assert found[0] == (
        "reg/editions.csv line 2, column reason_en: expected why the ranks are withheld, the edition prints it; got nothing"
    )
    assert found[1].startswith("reg/editions.csv line 3, column month: ")
    assert "'2025-13'" in found[1]
    assert found[2] == "reg/editions.csv line 4, column ranks: Input should be 'shown' or 'withheld'; got 'hidden'"
    assert found[3] == "reg/editions.csv line 5, column month: 2025-10 stands on line 2 already"
    assert found[4].startswith("reg/editions.csv line 6, column month: Field required")
    assert len(found) == 5


def test_a_misspelt_column_of_the_editions_is_named():
    with pytest.raises(RegistryError, match="line 1: unknown column reason; expected month, ranks, reason_zh"):
        parse_editions("month,ranks,reason\n2025-10,shown,x\n")


def folder(tmp_path, **texts):
    for name, text in ({"cities": CITIES, "accounts": ACCOUNTS} | texts).items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_mistakes_of_all_files_of_a_folder_are_told_together(tmp_path):
    wrong = folder(
        tmp_path, accounts=ACCOUNTS + "1,x,a,,,,,\n", platform_inputs="month\n", editions=EDITION + "2025-10,secret,,\n"
    )
    with pytest.raises(RegistryError) as refused:
        read_folder(wrong)
    files = [problem.removeprefix(f"{wrong}/").split(" ")[0] for problem in refused.value.problems]
    assert files == ["accounts.csv", "platform_inputs.csv", "editions.csv"]


def test_a_folder_is_read_without_the_files_it_need_not_have(tmp_path):
    assert list(read_folder(folder(tmp_path))) == ["cities.csv", "accounts.csv"]
    assert list(read_folder(folder(tmp_path, editions=EDITION))) == ["cities.csv", "accounts.csv", "editions.csv"]


def accounts_of(*rows):
    """Accounts of Nanjing from what follows its id in their rows."""
    return parse_registry(CITIES, ACCOUNTS + "".join(f"320100,{row}\n" for row in rows)).accounts


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("facebook,nj,９９９９９００００１,,,,", "account_id", "expected '9999900001', in plain letters"),
        ("x,ｎｊ,,,,,", "handle", "expected 'nj', in plain letters"),
        ("tiktok,nj２,,,,,", "handle", "expected 'nj2', in plain letters"),
        ("instagram,nj,1.78414E+16,,,,", "account_id", "a number that is no id of instagram"),
        ("instagram,nj,1784140000000000,,,,", "account_id", "a number that is no id of instagram"),
        ("facebook,nj,100064800000001.0,,,,", "account_id", "a number that is no id of facebook"),
        ("facebook,nj,1.00065e+14,,,,", "account_id", "a number that is no id of facebook"),
        ('x,nj,"1,234,567",,,,', "account_id", "a number that is no id of x"),
        ("instagram,nj,'17841400000000001,,,,", "account_id", "a number that is no id of instagram"),
        ("facebook,nj,100064800000001\u200b,,,,", "account_id", "expected no invisible characters"),
        ("x,nj,-5,,,,", "account_id", "a number that is no id of x"),
        ("youtube,nj,1.23456E+05,,,,", "account_id", "a number that is no id of youtube"),
        ("tiktok,nj,6.9E+18,,,,", "account_id", "a number that is no id of tiktok"),
        ("x,nj,,,,２０２５-05-01,", "valid_from", "a day is written YYYY-MM-DD"),
        ("x,nj,,,,45778,", "valid_from", "a day is written YYYY-MM-DD"),
        ("x,nj,,,,86400,", "valid_from", "a day is written YYYY-MM-DD"),
        ("x,nj,,,,,2025-05-01T00:00:00Z", "valid_to", "a day is written YYYY-MM-DD"),
        ("x,nj,,,０,,", "in_index", "Input should be a valid boolean"),
    ],
)  # fmt: skip
def test_what_an_input_method_or_a_spreadsheet_makes_of_a_cell_is_refused_with_line_and_column(row, column, said):
    """Taken as they are, such ids are no ids: the account is missing, and a handle taken over goes unnoticed."""
    [found] = problems(accounts=ACCOUNTS + f"320100,{row}\n")
    assert found.startswith(f"reg/accounts.csv line 2, column {column}: {said}")


def test_a_city_id_of_other_digits_is_refused_wherever_it_stands():
    """Two files that agree on it are refused as well: the third, or next month's, does not."""
    wide = [text.replace("320100", "３２０１００") for text in (CITIES, ACCOUNTS + "320100,x,nj,,,,,\n")]
    assert [one.partition(": ")[0] for one in problems(*wide)] == [
        "reg/cities.csv line 2, column city_id",
        "reg/accounts.csv line 2, column city_id",
    ]


@pytest.mark.parametrize(
    "row", ["facebook,12.34,,,,,", "instagram,2024,,,,,", "x,12306,,,,,", "tiktok,nj,6900000000000000001,,,,", "instagram,nj,748805103,,,,", "instagram,nj,17841400000000000,,,,", "youtube,nj,123456,,,,"],
)  # fmt: skip
def test_a_handle_of_digits_and_a_number_that_no_spreadsheet_has_rounded_are_taken(row):
    [account] = accounts_of(row)
    assert account.platform == row.split(",")[0]


@pytest.mark.parametrize(
    ("first", "second", "column"),
    [
        ("x,sbx_alpha,,,,,", "x,SBX_Alpha,,,,,", "handle"),
        ("x,sbx_alpha,77,,,,", "x,SBX_Alpha,,,,,", "handle"),
        ("tiktok,alpha,1,,,,", "tiktok,@Alpha,2,,,,", "handle"),
        ("facebook,visit.nanjing,,,,,", "facebook,VisitNanjing,100064800000001,,,,", "handle"),
        ("youtube,alpha,UCabcdefghijklmnopqrstuv,,,,", "youtube,beta,UCabcdefghijklmnopqrstuv,,,,", "account_id"),
        ("instagram,alpha,Alpha_Key,,,,", "instagram,beta,alpha_key,,,,", "account_id"),
        ("x,alpha,,,,,2025-05-02", "x,alpha,,,,2025-05-01,", "handle"),
    ],
)
def test_two_rows_that_lead_to_one_account_are_refused(first, second, column):
    """One of them would have all the posts and the other a silent zero."""
    [found] = problems(accounts=ACCOUNTS + f"320100,{first}\n320100,{second}\n")
    assert found.startswith(f"reg/accounts.csv line 3, column {column}: ")
    assert found.endswith("stands on line 2 already")


def test_accounts_of_other_platforms_and_dots_elsewhere_than_on_facebook_are_other_accounts():
    rows = ["x,alpha,,,,,", "tiktok,alpha,,,,,", "tiktok,al.pha,,,,,", "youtube,b,UCabcdefghijklmnopqrstuV,,,,"]
    assert len(accounts_of(*rows, "youtube,c,UCabcdefghijklmnopqrstuv,,,,")) == 5


def test_rows_of_one_account_and_of_one_city_are_taken_where_their_days_do_not_overlap():
    """A renamed account, one that changed its city, and a city that left and came back."""
    renamed = accounts_of("x,old,77,,,,2025-05-01", "x,new,77,,,2025-05-01,", "x,old,78,,,2025-05-01,")
    assert [account.handle for account in renamed] == ["old", "new", "old"]
    cities = CITIES.replace("2024-05-01,", "2024-05-01,2024-08-01") + "320100,南京,Nanjing,江苏,2025-01-01,\n"
    assert len(parse_registry(cities, ACCOUNTS).cities) == 2
    [found] = problems(cities=CITIES + "320100,南京,Nanjing,江苏,2025-01-01,\n")
    assert found == "reg/cities.csv line 3, column city_id: '320100' stands on line 2 already"


@pytest.mark.parametrize(
    "city", ["..", ".", "CON", "con", "nul.txt", "LPT1", 'a"b', "a<b", "a:b", "a/b", "a\\b", "a?", "a*", "a%2e", "a#b", "end.", "a\u202eb", "😀" * 64]
)  # fmt: skip
def test_a_city_whose_key_cannot_name_a_file_is_refused_with_line_and_column(city):
    """The pages of a city are called by its key."""
    cell = city.replace('"', '""')
    [found] = problems(cities=CITIES + f'"{cell}",甲,A,,,\n')
    assert found.startswith("reg/cities.csv line 3, column city_id: expected a key that can name a file")


@pytest.mark.parametrize("city", ["110000", "x-7", "agency.one", "北京", "a b", "console", "com10", "-x", "😀" * 16])
def test_other_keys_of_cities_are_taken(city):
    assert parse_registry(CITIES + f"{city},甲,A,,,\n", ACCOUNTS).cities[1].city_id == city


def test_keys_that_only_capitals_tell_apart_are_refused():
    [found] = problems(cities=CITIES + "ab,甲,A,,,2025-01-01\nAB,甲,A,,2025-01-01,\n")
    assert found == "reg/cities.csv line 4, column city_id: 'AB' stands on line 3 already"


def test_a_column_that_stands_twice_is_refused():
    head = ACCOUNTS.replace("role", "account_id")
    assert problems(accounts=head)[0] == "reg/accounts.csv line 1: column account_id stands there twice"


@pytest.mark.parametrize("month", ["２０２５-05", "2025-０5", "٢٠٢٥-05"])
def test_a_month_of_other_digits_is_refused_in_every_file(month):
    """Withheld for a month that no edition has, ranks were printed."""
    with pytest.raises(RegistryError, match="line 2, column month: "):
        parse_editions(EDITION + f"{month},withheld,数据核对中,under review\n")
    with pytest.raises(RegistryError, match="line 2, column month: "):
        parse_weight_inputs(
            f"month,platform,factor,value,unit,source,as_of,retrieved_at\n{month},x,users,1,bn,s,2024-05-01,2024-05-02\n"
        )
    with pytest.raises(ValueError, match="a month is written YYYY-MM"):
        Month.parse(month)


def test_expert_scores_of_other_digits_are_refused():
    for score in ("７", "7_5"):
        found = mistakes(HEAD + f"R01,320100,content,{score}\n")[0]
        assert found.startswith("2025-05.csv line 2, column score: Input should be a valid number")


@pytest.mark.parametrize("name", ["Editions.CSV", "editions.csv.txt", "ｅｄｉｔｉｏｎｓ.csv"])
def test_an_optional_file_under_another_spelling_of_its_name_is_named_and_not_passed_over(tmp_path, name):
    (tmp_path / "cities.csv").write_text(CITIES, encoding="utf-8")
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    (tmp_path / "cities.csv.orig").write_text("", encoding="utf-8")
    read_folder(tmp_path)
    (tmp_path / name).write_text("month,ranks,reason_zh,reason_en\n", encoding="utf-8")
    with pytest.raises(RegistryError) as refused:
        read_folder(tmp_path)
    [problem] = refused.value.problems
    assert problem.startswith(f"{tmp_path / name}: expected a file called editions.csv; this is another name")
