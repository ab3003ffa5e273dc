from datetime import date

import pytest

from smi_pipeline.registry.load import RegistryError, parse_registry, parse_weight_inputs, read_registry
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
